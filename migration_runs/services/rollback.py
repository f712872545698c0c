"""Rolling back: phases are undone one at a time, the last one first, until nothing applied is left."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone

from migration_runs import dispatch
from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.services import checks, gates, holding, notify, people, situation, step_up
from migration_runs.services.moves import move_phase, move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.step_up import StepUp
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState, RunState

MAY_ROLL_BACK = (Role.APPROVER, Role.DBA, Role.ONCALL)
FROM = frozenset({RunState.APPROVED, RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.COMPLETED})
TO_UNDO = frozenset({PhaseState.DONE, PhaseState.FAILED, PhaseState.PAUSED, PhaseState.AWAITING_SIGN_OFF})
BUSY = frozenset({PhaseState.RUNNING, PhaseState.PAUSING, PhaseState.UNDOING, PhaseState.UNDO_FAILED})


def may_roll_back(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed; IllegalMove where there is nothing, or no longer anything, to roll back."""
    actor.require(MAY_ROLL_BACK, f"Rolling {at.run.name} back")
    if at.run.state == RunState.SEALED:
        raise IllegalMove(f"{at.run.name} is sealed: what a rollback needs was given up then.", rule="state")
    if at.run.state not in FROM:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: there is nothing to roll back"
            + (
                " yet. Cancel it instead."
                if at.run.state in {RunState.DRAFT, RunState.AWAITING_APPROVAL}
                else "."
            ),
            rule="state",
        )


@verb("roll_back")
def roll_back_run(
    run_id: int, *, typed_name: str, step_up: StepUp | None, person: User, how: str, reason: str = ""
) -> Run:
    """Begin to undo everything that the run applied. ``typed_name`` is the run's name, typed by the person.

    A phase that is running is paused first. Raises NotAllowed, IllegalMove, StepUpNeeded, or Refused for
    another name.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_roll_back(at, actor)
    if typed_name.strip() != at.run.name:
        raise Refused(f"To roll back, type the run's name: {at.run.name}. Nothing was done.", rule="S4")
    _prove(step_up, actor=actor)
    run = at.run
    run.rollback_by = person
    run.rollback_at = timezone.now()
    run.finished_at = None
    run.hold_kind = run.hold_reason = ""
    run.held_by = run.held_at = None
    move_run(run, "roll_back", actor=actor, data_decision=run.data_decision, reason=reason)
    notify.rollback_began(at, reason=reason, actor=actor)
    checks.end_window(at, reason="the run is rolled back", actor=actor)
    checks.drop_due(at)
    for phase in at.phases.values():
        if phase.state == PhaseState.RUNNING:
            holding.ask_pause(phase, run=run, actor=actor, reason="the run is rolled back")
    go_on(at, actor=actor)
    return run


def _prove(proof: StepUp | None, *, actor: Actor) -> None:
    step_up.require(proof, actor=actor, what="Rolling back")


def go_on(at: Situation, *, actor: Actor) -> None:
    """The next thing of a rollback: undo the last phase that has something to undo, or finish.

    Waits while a phase is still on its way to a safe place or being undone.
    """
    if at.run.state != RunState.ROLLING_BACK or any(p.state in BUSY for p in at.phases.values()):
        return
    left = [phase for phase in at.phases.values() if phase.state in TO_UNDO]
    if left:
        begin_undo(at, max(left, key=lambda phase: phase.number), actor=actor)
        return
    at.run.finished_at = timezone.now()
    move_run(at.run, "finish_rollback", actor=actor)
    notify.rolled_back(at, actor=actor)


def begin_undo(at: Situation, phase: PhaseRun, *, actor: Actor) -> None:
    """Have a phase undone, for the first time or again."""
    phase.undo_started_at = phase.undo_started_at or timezone.now()
    phase.attempt += 1
    phase.waiting = None
    phase.look_again_at = None
    phase.error = phase.kept = phase.next_step = ""
    move_phase(phase, "undo", run=at.run, actor=actor, attempt=phase.attempt)
    dispatch.after_commit("undo_phase", phase.pk)


def may_retry_rollback(at: Situation, actor: Actor) -> PhaseRun:
    """The phase whose undo failed, if the actor may have it tried again. Raises NotAllowed or IllegalMove."""
    actor.require(MAY_ROLL_BACK, f"Retrying the rollback of {at.run.name}")
    failed = [p for p in at.phases.values() if p.state == PhaseState.UNDO_FAILED]
    if at.run.state != RunState.ROLLING_BACK or not failed:
        raise IllegalMove(f"No undo of {at.run.name} has failed: there is nothing to retry.", rule="state")
    return failed[0]


@verb("retry_rollback")
def retry_rollback(run_id: int, *, person: User, how: str) -> Run:
    """Try a failed undo again; what was undone stays undone. Raises NotAllowed or IllegalMove."""
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    begin_undo(at, may_retry_rollback(at, actor), actor=actor)
    return at.run
