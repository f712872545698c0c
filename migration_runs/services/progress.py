"""What the worker tells at the end of its turn on a phase, and where the phase and the run go from there."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from migration_runs import phases
from migration_runs.engine.outcome import Outcome
from migration_runs.exceptions import LeaseLost
from migration_runs.models import PhaseRun, Run
from migration_runs.runbook.steps import ConfirmStep
from migration_runs.services import checks, clock, gates, notify, people, rollback, situation, waking
from migration_runs.services.moves import move_phase
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.window import WHOLE, verdict_of
from migration_runs.states import PhaseState, RunState


def record_outcome(
    phase_run_id: int, *, token: int, outcome: Outcome, worker: str = "worker", schema_digest: str = ""
) -> PhaseRun:
    """Write how a worker's turn on a phase ended, give the lease back and make what follows happen.

    ``schema_digest`` is the target's fingerprint at the end of a finished phase. A phase that cannot change
    the schema may come without: how the phase before left it is then still what is expected. Returns the
    phase as it is now. Raises LeaseLost, changing nothing, when the token is no longer the phase's.
    """
    actor = people.worker_actor(worker)
    with transaction.atomic():
        at = situation.lock(PhaseRun.objects.values_list("run_id", flat=True).get(pk=phase_run_id))
        phase = next(row for row in at.phases.values() if row.pk == phase_run_id)
        if phase.token != token:
            raise LeaseLost(
                f"phase {phase.number} of {at.run.name} now belongs to another worker; this outcome is not "
                "written",
                kept="everything that the target's ledger calls done",
                next_step="nothing: the other worker goes on from there",
            )
        if not phase.lease_worker:
            return phase  # this very outcome was written before, and only the answer was lost
        phase.lease_until = None
        phase.lease_worker = ""
        phase.interrupt = False
        phase.waiting = dataclasses.asdict(outcome.waiting) if outcome.waiting else None
        phase.look_again_at = None
        if outcome.status == "finished" and phase.state != PhaseState.UNDOING:
            phase.schema_digest = schema_digest or _as_left_before(at, phase)
        if phase.state == PhaseState.UNDOING:
            _undoing(at, phase, outcome, actor=actor)
        else:
            _working(at, phase, outcome, actor=actor)
    return phase


def _as_left_before(at: Situation, phase: PhaseRun) -> str:
    """The schema digest that a phase took over from the one before and could not change; empty otherwise."""
    if phase.number == 1 or gates.may_change_schema(at.plan, phase.number):
        return ""
    return at.phase(phase.number - 1).schema_digest


def _working(at: Situation, phase: PhaseRun, outcome: Outcome, *, actor: Actor) -> None:
    pausing = phase.state == PhaseState.PAUSING
    if outcome.status == "finished":
        _finish(at, phase, actor=actor)
    elif outcome.status == "failed":
        _set_failure(phase, outcome)
        told = {"error": outcome.error, "step": outcome.step, "kept": outcome.kept}
        move_phase(phase, "fail", run=at.run, actor=actor, **told)
        if at.run.state != RunState.ROLLING_BACK:
            notify.phase_failed(at, phase, actor=actor)
    elif pausing:
        move_phase(phase, "reach_pause", run=at.run, actor=actor)
    elif outcome.status == "waiting":
        _wait(at, phase, outcome, actor=actor)
    else:  # the worker itself was stopped; the sweeper has the phase gone on with
        phase.save()
    if at.run.state == RunState.ROLLING_BACK:
        rollback.go_on(at, actor=actor)


def _finish(at: Situation, phase: PhaseRun, *, actor: Actor) -> None:
    phase.waiting = None
    if phase.number == phases.MONITORING and _monitors(at):
        if not verdict_of(at).whole:
            _watch_again(at, phase, actor=actor)
            return
        checks.end_window(at, reason=WHOLE, actor=actor)
    _set_failure(phase, None)
    move_phase(phase, "finish", run=at.run, actor=actor)
    if at.run.state != RunState.ROLLING_BACK:
        gate = gates.phase_gate(phase.number)
        notify.sign_off_wanted(at, gate, gates.missing(at, gate), actor=actor)
    if phase.number == phases.MONITORING:
        checks.drop_due(at)


def _monitors(at: Situation) -> bool:
    return any(step.kind == "monitor" for step in at.plan.runbook.phase(phases.MONITORING).steps)


def _watch_again(at: Situation, phase: PhaseRun, *, actor: Actor) -> None:
    """The window was whole when the worker asked, and broke on its way here: phase 8 is not over."""
    if phase.state == PhaseState.PAUSING:
        move_phase(phase, "reach_pause", run=at.run, actor=actor)
    else:
        phase.save()
        checks.ensure_window(at, actor=actor)


def _wait(at: Situation, phase: PhaseRun, outcome: Outcome, *, actor: Actor) -> None:
    waiting = outcome.waiting
    if waiting is not None and waiting.look_again_s is not None:
        phase.look_again_at = clock.database_now() + timedelta(seconds=waiting.look_again_s)
    phase.save()
    if waiting is None:
        return
    if waiting.kind == "window":
        checks.ensure_window(at, actor=actor)
    if waiting.kind == "confirmation":
        if _confirmed(phase, waiting.step, undo=phase.state == PhaseState.UNDOING):
            # The person was faster than the worker's way here.
            waking.wake(phase)
        else:
            _ask_for_word(at, phase, waiting.step, actor=actor)


def _ask_for_word(at: Situation, phase: PhaseRun, key: str, *, actor: Actor) -> None:
    for step in at.plan.runbook.phase(phase.number).steps:
        if step.key == key and isinstance(step, ConfirmStep):
            notify.word_wanted(at, phase, step=key, title=step.title, role=step.role, actor=actor)


def _undoing(at: Situation, phase: PhaseRun, outcome: Outcome, *, actor: Actor) -> None:
    if outcome.status == "finished":
        phase.undone_at = timezone.now()
        phase.waiting = None
        _set_failure(phase, None)
        move_phase(phase, "finish_undo", run=at.run, actor=actor)
        rollback.go_on(at, actor=actor)
    elif outcome.status == "failed":
        _set_failure(phase, outcome)
        told = {"error": outcome.error, "step": outcome.step, "kept": outcome.kept}
        move_phase(phase, "fail_undo", run=at.run, actor=actor, **told)
        notify.phase_failed(at, phase, actor=actor)
    else:
        _wait(at, phase, outcome, actor=actor)


def record_switch(run_id: int, *, at: datetime) -> None:
    """Keep the market time at which the observed switch was proven; the first time counts."""
    Run.objects.filter(pk=run_id, switched_at=None).update(switched_at=at)


def _confirmed(phase: PhaseRun, step: str, *, undo: bool) -> bool:
    return phase.confirmations.filter(step_key=step, undo=undo).exists()


def _set_failure(phase: PhaseRun, outcome: Outcome | None) -> None:
    phase.error = outcome.error if outcome else ""
    phase.kept = outcome.kept if outcome else ""
    phase.next_step = outcome.next_step if outcome else ""
