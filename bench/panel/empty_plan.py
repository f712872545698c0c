"""A plan whose phases have nothing to do, so that what is left is the panel's own work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from migration_runs import phases
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan

HEADER = {"what": "nothing", "why": "a benchmark", "locks": "none", "timeout": "lock 200 ms", "undo": "none"}
NOTHING = {
    "kind": "assert", "key": "holds", "title": "It holds", "undo_none": "it only reads",
    "sql": {
        "path": "nothing.sql", "header": HEADER,
        "text": "SELECT true AS ok, 'as it should be' AS message",
    },
}  # fmt: skip
"""A step that only asks whether true is true."""

SIGNERS = {7: Role.ENGINEER, 9: Role.APPROVER}
"""Who signs where the owner must not; every other phase is signed by its owner."""


def empty_plan(tables: tuple[str, str]) -> Plan:
    """Nine phases with one assertion each that holds, about two tables that nothing happens to."""
    source, target = tables
    runbook = {
        "slug": "empty",
        "title": "Nothing",
        "summary": "for a benchmark",
        "tables": [source, target],
        "approvals": ["approver"],
        "move": {
            "name": "nothing",
            "source": source,
            "target": target,
            "key": ["id"],
            "chunk_column": "id",
            "columns": {"id": "id", "body": "body"},
        },
        "window": {"hours": 24, "interval_minutes": 60},
        "checks": [
            {"key": "alive", "title": "alive", "sql": _file("SELECT 1 AS value, '' AS detail"),
             "passes": {"at_least": 1}},
        ],
        "phases": list(_phases()),
    }  # fmt: skip
    return Plan.model_validate({"runbook": runbook, "target": "bars", "data_decision": "keep"})


def _phases() -> Iterable[dict[str, Any]]:
    for phase in phases.PHASES:
        yield {
            "key": phase.key,
            "owner": phase.owner,
            "sign_off": [SIGNERS.get(phase.number, phase.owner)],
            "minutes": 1,
            "summary": phase.purpose,
            "steps": [NOTHING],
        }


def _file(text: str) -> dict[str, Any]:
    return {"path": "nothing.sql", "header": HEADER, "text": text}
