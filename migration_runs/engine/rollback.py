"""What a rollback would do now: read from the ledger, changing nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg

from migration_runs.engine import connection, ledger, runner
from migration_runs.engine.ledger import LedgerStep
from migration_runs.engine.outcome import RollbackItem, RollbackPreview
from migration_runs.engine.steps.registry import kind_of
from migration_runs.exceptions import EngineError
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import Step

Known = dict[tuple[int, str], LedgerStep]


@dataclass
class _Found:
    items: list[RollbackItem] = field(default_factory=list)
    keeps: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def preview(plan: Plan, *, run_uid: uuid.UUID, target_url: str) -> RollbackPreview:
    """Everything that the run applied or began on its target, as undoing would take it: last first.

    A step whose undoing cannot be foreseen is listed with its declared estimate, and the reason among the
    obstacles. Raises TargetUnavailable, or psycopg.Error when the ledger cannot be read.
    """
    found = _Found()
    name = connection.application_name(run_uid, "preview")
    with connection.connect(target_url, application_name=name) as conn:
        known: Known = {(step.phase, step.step_key): step for step in ledger.applied(conn, run_uid)}
        for phase in reversed(plan.runbook.phases):
            for step in runner.undo_order(phase.steps):
                state = known.get((phase.number, step.key))
                if state is not None and state.state != "undone":
                    _add(found, conn, plan, phase.number, step, state, run_uid)
    return RollbackPreview(
        items=tuple(found.items),
        rows=sum(item.rows for item in found.items),
        seconds=sum(item.seconds for item in found.items),
        keeps=tuple(found.keeps),
        asks=tuple(found.asks),
        data_decision=plan.data_decision,
        obstacles=tuple(found.obstacles),
    )


def _add(
    found: _Found,
    conn: psycopg.Connection[Any],
    plan: Plan,
    phase: int,
    step: Step,
    state: LedgerStep,
    run_uid: uuid.UUID,
) -> None:
    try:
        undoing = kind_of(plan, phase, step).preview_undo(conn, run_uid, state.details)
    except (EngineError, psycopg.Error) as error:
        said = str(error) if isinstance(error, EngineError) else error.diag.message_primary or str(error)
        found.obstacles.append(f"{step.title}: {said}")
        found.items.append(_item(phase, step, f"undo: {step.title}", "not known", 0, step.estimate_s))
        return
    if undoing is None:
        return
    found.keeps += undoing.keeps
    found.asks += undoing.asks
    found.obstacles += undoing.obstacles
    action = undoing.action if state.state == "applied" else f"{undoing.action} (it was only begun)"
    found.items.append(_item(phase, step, action, undoing.locks, undoing.rows, undoing.seconds))


def _item(phase: int, step: Step, action: str, locks: str, rows: int, seconds: float) -> RollbackItem:
    return RollbackItem(
        phase=phase, step=step.key, title=step.title, action=action, locks=locks, rows=rows, seconds=seconds
    )
