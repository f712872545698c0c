"""What the target looked like before the run: what a rollback must bring back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg

from tests.faults.things import HISTORY, WRITTEN

OBJECTS = """
SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
 WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
 WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT format('%s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1
"""

OLD_ROWS = """
SELECT id, kind, n, body, deleted_at FROM public.things_old
 WHERE NOT (kind = 'thing' AND n = ANY (%(written)s)) ORDER BY id
"""

NEW_ROWS = "SELECT kind, n, body, origin FROM public.things_new ORDER BY kind, n"

EFFECTS = "SELECT id, what FROM public.effects ORDER BY id"

HISTORIC = tuple(n for n in range(1, HISTORY + 1) if n not in WRITTEN)
"""What was there before the run, and nobody writes."""


def _is_copy(row: tuple[Any, ...]) -> bool:
    kind, n, body, origin = row
    return kind == "thing" and origin == "moved" and (n in WRITTEN or body == f"history {n}")


@dataclass(frozen=True)
class PreState:
    """Definitions of everything in the schema, and every row that no live writer writes."""

    objects: tuple[Any, ...]
    old_rows: tuple[Any, ...]
    new_rows: tuple[Any, ...]
    effects: tuple[Any, ...]

    @classmethod
    def read(cls, dsn: str) -> PreState:
        """As it is now."""
        with psycopg.connect(dsn) as conn:
            return cls(
                objects=tuple(conn.execute(OBJECTS).fetchall()),
                old_rows=tuple(conn.execute(OLD_ROWS, {"written": list(WRITTEN)}).fetchall()),
                new_rows=tuple(conn.execute(NEW_ROWS).fetchall()),
                effects=tuple(conn.execute(EFFECTS).fetchall()),
            )

    def with_kept(self, now: PreState, *, copied: bool) -> PreState:
        """What has to be there after a rollback that keeps what was copied.

        Every copied row of history, if all was ``copied``; of what live writers write, and of a copy that did
        not get to its end, what is there ``now``. The reader may be the one that sees nothing twice.
        """
        there = {row for row in now.new_rows if _is_copy(row)}
        kept = {("thing", n, f"history {n}", "moved") for n in HISTORIC} if copied else set()
        new_rows = (*self.new_rows, *(kept | there))
        safe = [one for one in now.objects if "things_seen" in one[0] and "NOT EXISTS" in one[0]]
        others = [one for one in self.objects if not (safe and "FUNCTION public.things_seen" in one[0])]
        return replace(self, new_rows=new_rows, objects=(*others, *safe))

    def differences(self, other: PreState) -> list[str]:
        """What ``other`` has and this has not, and the other way round, in words."""
        found = []
        for name in ("objects", "old_rows", "new_rows", "effects"):
            before, after = set(getattr(self, name)), set(getattr(other, name))
            for what, rows in (("gone", before - after), ("added", after - before)):
                if rows:
                    found.append(f"{name}: {len(rows)} {what}, for example {min(map(str, rows))[:300]}")
            if len(getattr(self, name)) != len(getattr(other, name)) and before == after:
                found.append(f"{name}: some are there more than once")
        return found
