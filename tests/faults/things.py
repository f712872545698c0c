"""The plan of the fault tests: a small move through nine phases, with doors at which workers can be held."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from migration_runs.runbook.plan import Plan
from tests import plans

WORLD = Path(__file__).with_name("things.sql")

DataDecision = Literal["keep", "delete"]
"""What a rollback does with the rows that the run copied."""

HISTORY = 600
"""Things 1 to ``HISTORY`` are there before the run."""

WRITTEN = (*range(301, 381), *range(10_001, 10_061))
"""The things that live writers write, in and beside history."""

OLD, NEW = "things-writer/old", "things-writer/new"

# -- doors: where a test can hold a worker, and which phase it is in then

NOTE, UNNOTE = "note", "unnote"
COPY, UNCOPY = "copy", "uncopy"
SWITCH, UNSWITCH = "switch", "unswitch"
CHECK = "check"
PHASE_OF_DOOR = {NOTE: 2, UNNOTE: 2, COPY: 4, UNCOPY: 4, SWITCH: 5, UNSWITCH: 5, CHECK: 8}

PUT_NEW = """
CREATE OR REPLACE FUNCTION public.put_new(p_n bigint, p_body text) RETURNS boolean
    LANGUAGE plpgsql
AS $function$
BEGIN
    INSERT INTO public.things_new (kind, n, body, origin) VALUES ('thing', p_n, p_body, 'moved')
        ON CONFLICT (kind, n) DO UPDATE SET body = excluded.body;
    RETURN true;
END
$function$
"""

# A thing that is withdrawn in the old table is withdrawn, even where a copy of it was kept after a rollback.
READ_BOTH = """
CREATE OR REPLACE FUNCTION public.things_seen() RETURNS TABLE (n bigint, body text)
    LANGUAGE sql STABLE
AS $function$
    SELECT o.n, o.body FROM public.things_old AS o WHERE o.kind = 'thing' AND o.deleted_at IS NULL
    UNION ALL
    SELECT t.n, t.body FROM public.things_new AS t
     WHERE t.kind = 'thing'
       AND NOT EXISTS (SELECT FROM public.things_old AS o
                        WHERE o.kind = 'thing' AND o.n = t.n)
$function$
"""

READ_NEW = """
CREATE OR REPLACE FUNCTION public.things_seen() RETURNS TABLE (n bigint, body text)
    LANGUAGE sql STABLE
AS $function$
    SELECT t.n, t.body FROM public.things_new AS t WHERE t.kind = 'thing'
$function$
"""

ORPHANS = """
SELECT count(*) = 0 AS ok, count(*) || ' active rows are left' AS message
  FROM public.things_old WHERE kind = 'thing' AND deleted_at IS NULL
"""

ALIVE = "SELECT count(*) AS value, 'things' AS detail FROM public.things_new CROSS JOIN public.gate('check')"

SPEED = 3600.0
CLOCK = (
    "SELECT timestamptz '2026-03-02 08:00+00' "
    f"+ (clock_timestamp() - timestamptz '2026-11-22 00:00+00') * {SPEED} AS now"
)
"""A market hour lasts a second."""

READER = "public.things_seen()"


def plan(decision: DataDecision = "delete") -> Plan:
    """The plan. Its window is two rounds, a second apart; four eyes are six people's."""
    checks = [
        plans.check("alive", ALIVE, passes={"at_least": 1}),
        {"key": "clean", "title": "clean", "builtin": "verification", "passes": {"equals": 0}},
    ]
    made = plans.plan(_steps(), checks=checks, clock_speed=SPEED, clock=CLOCK, hours=2)
    body = made.model_dump(mode="json")
    runbook = body["runbook"]
    runbook |= {
        "slug": "things",
        "approvals": ["approver"],
        "tables": ["public.things_old", "public.things_new"],
        "functions": [READER, "public.put_old(bigint, text)", "public.put_new(bigint, text)"],
        "move": _move(),
    }
    runbook["phases"][6]["sign_off"] = ["engineer"]
    runbook["phases"][8]["sign_off"] = ["approver"]
    return Plan.model_validate(body | {"data_decision": decision})


def _move() -> dict[str, Any]:
    return {
        "name": "things",
        "source": "public.things_old",
        "target": "public.things_new",
        "key": ["kind", "n"],
        "chunk_column": "n",
        "scope": {"kind": "thing"},
        "columns": {"kind": "kind", "n": "n", "body": "body", "origin": {"const": "moved"}},
        "left_out": ["source.id"],
        "active": {"column": "deleted_at", "is_null": True},
        "copying": {"initial_rows": 100, "min_rows": 100, "max_rows": 100},
    }


def _steps() -> dict[int, list[dict[str, Any]]]:
    return {
        2: [
            plans.sql_step(
                "note",
                "INSERT INTO public.effects (what) SELECT 'noted' FROM public.gate('note')",
                undo="DELETE FROM public.effects WHERE public.gate('unnote')",
            )
        ],
        3: [
            _function_step("put_new", PUT_NEW, "public.put_new(bigint, text)"),
            _function_step("read_both", READ_BOTH, READER, keep_if="keep"),
        ],
        4: [
            {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"},
            {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"},
            {"kind": "copy", "key": "settle", "title": "settle", "part": "settle"},
            {"kind": "verify", "key": "compare", "title": "compare"},
        ],
        5: [
            {"kind": "dual_write", "key": "reverse", "title": "reverse", "direction": "reverse"},
            plans.sql_step(
                "switch",
                "INSERT INTO public.effects (what) SELECT 'switched' FROM public.gate('switch')",
                undo="DELETE FROM public.effects WHERE what = 'switched' AND public.gate('unswitch')",
            ),
            _function_step("read_new", READ_NEW, READER),
            plans.confirm_step("built"),
        ],
        6: [{"kind": "check", "key": "sound", "title": "sound", "check": "clean"}],
        7: [
            {
                **plans.confirm_step("deployed"),
                "role": "devops",
                "undo_none": None,
                "undo_text": "The old version runs again.",
            },
            {
                "kind": "observe",
                "key": "observed",
                "title": "observed",
                "undo_none": "it only looks",
                "old_functions": ["public.put_old"],
                "new_functions": ["public.put_new"],
                "old_callers": [f"{OLD}%"],
                "new_callers": [f"{NEW}%"],
                "quiet_s": 2.0,
            },
        ],
        8: [{"kind": "monitor", "key": "window", "title": "window"}],
        9: [
            {"kind": "verify", "key": "again", "title": "again"},
            {"kind": "soft_delete", "key": "retire", "title": "retire"},
            plans.assert_step("orphans", ORPHANS),
        ],
    }


def _function_step(key: str, text: str, function: str, *, keep_if: str | None = None) -> dict[str, Any]:
    """A step that replaces a function, taken back by its before-image; not with the decision ``keep_if``."""
    step = plans.sql_step(key, text)
    del step["undo_none"]
    return step | {"before_image": {"functions": [function], "keep_if": keep_if}}
