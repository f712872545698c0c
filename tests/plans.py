"""Small plans written in Python: nine phases of which a test fills those that it is about.

For tests of what carries a plan out. Runbooks in their folders have tests of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migration_runs import phases
from migration_runs.runbook.plan import Plan

HEADER = {"what": "a test", "why": "a test", "locks": "none", "timeout": "lock 200 ms", "undo": "none"}


def sql_file(text: str, *, path: str = "test.sql") -> dict[str, Any]:
    """A SQL file of the runbook with this text."""
    return {"path": path, "header": HEADER, "text": text}


def assert_step(
    key: str = "holds", text: str = "SELECT true AS ok, 'as it should be' AS message"
) -> dict[str, Any]:
    """An assertion, by default one that holds."""
    return {"kind": "assert", "key": key, "title": key, "undo_none": "it only reads", "sql": sql_file(text)}


def sql_step(key: str, text: str, *, undo: str | None = None, **more: Any) -> dict[str, Any]:
    """A step that executes ``text`` in one transaction; ``undo`` is the SQL that takes it back."""
    undoing = {"undo": sql_file(undo)} if undo else {"undo_none": "a test"}
    return {"kind": "sql", "key": key, "title": key, "sql": sql_file(text), **undoing, **more}


def confirm_step(key: str = "asked") -> dict[str, Any]:
    """A step that waits for a person."""
    return {
        "kind": "confirm", "key": key, "title": key, "undo_none": "a test", "role": "engineer",
        "text": "Is it done?", "evidence_hint": "a word",
    }  # fmt: skip


def check(key: str, text: str, *, passes: Mapping[str, float], **more: Any) -> dict[str, Any]:
    """A check whose query gives ``value`` and ``detail``."""
    return {"key": key, "title": key, "sql": sql_file(text), "passes": dict(passes), **more}


def plan(
    steps: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    *,
    checks: Sequence[Mapping[str, Any]] = (),
    clock_speed: float = 1.0,
    clock: str | None = None,
    hours: float = 24.0,
    interval_minutes: float = 60.0,
    copying: Mapping[str, Any] | None = None,
) -> Plan:
    """A plan whose phases hold ``steps``, by phase number; the others hold one assertion that holds."""
    filled = steps or {}
    runbook = {
        "slug": "small",
        "title": "A small runbook",
        "summary": "for tests",
        "tables": ["public.old_things", "public.new_things"],
        "approvals": ["approver"],
        "clock": sql_file(clock) if clock else None,
        "move": {
            "name": "things",
            "source": "public.old_things",
            "target": "public.new_things",
            "key": ["id"],
            "chunk_column": "id",
            "columns": {"id": "id", "body": "body"},
            "copying": dict(copying or {}),
        },
        "window": {"hours": hours, "interval_minutes": interval_minutes},
        "checks": list(checks),
        "phases": [
            {
                "key": phase.key,
                "owner": phase.owner,
                "sign_off": [phase.owner],
                "minutes": 1,
                "summary": phase.purpose,
                "steps": [dict(step) for step in filled.get(phase.number, [assert_step()])],
            }
            for phase in phases.PHASES
        ],
    }
    return Plan.model_validate(
        {"runbook": runbook, "target": "bars", "data_decision": "keep", "clock_speed": clock_speed}
    )


TABLES = """
CREATE TABLE old_things (id bigint PRIMARY KEY, body text NOT NULL);
CREATE TABLE new_things (id bigint PRIMARY KEY, body text NOT NULL);
CREATE TABLE effects (
    id bigserial PRIMARY KEY, what text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
"""What the small plans work on; ``effects`` shows how often something was really done."""
