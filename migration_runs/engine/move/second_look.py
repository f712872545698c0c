"""What differed is looked at once more before anybody is told: twice seen, in two snapshots, is no lag.

By the protocol a difference without an entry on the touched list cannot be seen even once. So one that is
gone at the second look is told, too (``vanished``): it is no alarm, and no silence.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.parts import Keys, Part
from migration_runs.engine.move.snapshots import EXAMPLES, OVERDUE_S, snapshot
from migration_runs.engine.outcome import Verification

PAUSE_S = 0.3
MOST_KEYS = 1_000
"""So many keys are looked at again one by one; where more differ, the whole part is compared again."""


def compare(
    conn: psycopg.Connection[Any],
    shape: Shape,
    part: Part,
    *,
    timeout_s: float,
    examples: int = EXAMPLES,
    overdue_s: float = OVERDUE_S,
) -> Verification:
    """The comparison of one part, differences confirmed in a second snapshot. Each may take ``timeout_s``."""
    started = time.perf_counter()
    with snapshot(conn, timeout_s=timeout_s) as look:
        first = look.compare(shape, part=part, examples=0, overdue_s=overdue_s)
        seen = _differing(first)
        keys = look.differing_keys(shape, part, limit=MOST_KEYS + 1) if seen else []
    if not seen:
        return Verification(**first, seconds=time.perf_counter() - started)
    time.sleep(PAUSE_S)
    few = len(keys) <= MOST_KEYS
    with snapshot(conn, timeout_s=timeout_s) as look:
        again = look.compare(
            shape, part=Keys.given(shape, keys) if few else part, examples=examples, overdue_s=overdue_s
        )
    found = again | {"vanished": max(0, seen - _differing(again))}
    if few:
        found |= {name: first[name] for name in ("source_rows", "target_rows")}
        found |= {name: first.get(name, 0) + again.get(name, 0) for name in ("pending", "overdue")}
        found["pending_s"] = max(first.get("pending_s", 0.0), again.get("pending_s", 0.0))
    return Verification(**found, seconds=time.perf_counter() - started)


def _differing(found: dict[str, Any]) -> int:
    return int(found["missing"] + found["extra"] + found["different"])
