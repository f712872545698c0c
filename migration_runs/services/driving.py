"""Driving a run that has started: pause, hold, resume, retry."""

from __future__ import annotations

from django.contrib.auth.models import User

from migration_runs import dispatch
from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.services import audit, gates, holding, people, rollback, situation
from migration_runs.services.moves import move_phase, move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.starting import owner_of
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState, RunState

HOLDERS = (Role.APPROVER, Role.DBA, Role.ENGINEER, Role.DEVOPS, Role.ONCALL)
"""Who may hold a run or pause a phase: everybody who works on it. Stopping is always the safe side."""
RESUMERS = (Role.APPROVER, Role.DBA, Role.ONCALL)


def may_pause(at: Situation, actor: Actor, *, now: bool = False) -> PhaseRun:
    """The phase that would pause. Raises NotAllowed, or IllegalMove when none is running."""
    actor.require(HOLDERS, "Pausing a phase")
    phase = at.current
    allowed = {PhaseState.RUNNING, PhaseState.PAUSING} if now else {PhaseState.RUNNING}
    if phase is None or phase.state not in allowed or at.run.state == RunState.ROLLING_BACK:
        said = f"phase {phase.number} is {gates.words(phase.state)}" if phase else "no phase is running"
        raise IllegalMove(f"There is nothing to pause on {at.run.name}: {said}.", rule="state")
    return phase


@verb("pause")
def pause_phase(
    run_id: int, *, person: User, how: str, now: bool = False, number: int | None = None
) -> PhaseRun:
    """Ask the running phase to stop at its next safe place.

    ``now`` has its worker cancel the statement that runs. ``number``, when given, must be the running phase.
    Raises NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    phase = may_pause(at, actor, now=now)
    if number is not None and number != phase.number:
        raise IllegalMove(f"Phase {number} is not running; phase {phase.number} is.", rule="state")
    if phase.state == PhaseState.RUNNING:
        holding.ask_pause(phase, run=at.run, actor=actor, now=now)
    elif now:
        phase.interrupt = True
        phase.save(update_fields=["interrupt"])
        audit.append(
            actor=actor,
            run=at.run,
            action="phase.interrupt",
            object=f"phase {phase.number} of {at.run.name}",
            detail={"phase": phase.number},
        )
    return phase


def may_hold(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed, or IllegalMove for a run that is not in progress."""
    actor.require(HOLDERS, "Holding a run")
    if at.run.state != RunState.IN_PROGRESS:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: only a run in progress is held.", rule="state"
        )


@verb("hold")
def hold_run(run_id: int, *, reason: str, person: User, how: str) -> Run:
    """Hold a run: its phase pauses, nothing new starts, checks go on.

    Raises NotAllowed, IllegalMove, Refused without a reason.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_hold(at, actor)
    if not reason.strip():
        raise Refused(
            "Say why: whoever comes next has to know what must be gone before the run may be resumed.",
            rule="comment",
        )
    holding.hold(at, kind=holding.HoldKind.PERSON, reason=reason.strip(), actor=actor)
    return at.run


def may_resume(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed; IllegalMove where nothing is held or paused; Refused while an approval lacks."""
    run, phase = at.run, at.current
    roles = {*RESUMERS, owner_of(at, phase.number)} if phase else set(RESUMERS)
    actor.require(sorted(roles), f"Resuming {run.name}")
    if run.state == RunState.ON_HOLD:
        left = gates.missing(at, gates.PLAN)
        if left:
            raise Refused(
                f"{run.name} cannot be resumed: the plan's approval lacks the signature of "
                f"{' and '.join(left)}.",
                rule="approval",
            )
        if phase is not None and phase.state == PhaseState.PAUSING:
            raise IllegalMove(
                f"Phase {phase.number} is still on its way to a safe place. Resume once it is paused.",
                rule="state",
            )
        return
    if run.state != RunState.IN_PROGRESS or phase is None or phase.state != PhaseState.PAUSED:
        raise IllegalMove(
            f"There is nothing to resume: {run.name} is {gates.words(run.state)} and no phase is paused.",
            rule="state",
        )


@verb("resume")
def resume_run(run_id: int, *, person: User, how: str, comment: str = "") -> Run:
    """End a hold, and let a paused phase go on. A window that was broken starts afresh.

    Raises NotAllowed, IllegalMove, or Refused while an approval is missing.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_resume(at, actor)
    run = at.run
    if run.state == RunState.ON_HOLD:
        told = {"comment": comment, "held_for": run.hold_reason}
        run.hold_kind = run.hold_reason = ""
        run.held_by = run.held_at = None
        move_run(run, "resume", actor=actor, **told)
    phase = at.current
    if phase is not None and phase.state == PhaseState.PAUSED:
        _work_again(at, phase, "resume", actor=actor)
    return run


def may_retry(at: Situation, actor: Actor) -> PhaseRun:
    """The failed phase, if the actor may have it tried again. Raises NotAllowed or IllegalMove."""
    phase = at.current
    if phase is None or phase.state != PhaseState.FAILED:
        raise IllegalMove(f"No phase of {at.run.name} has failed: there is nothing to retry.", rule="state")
    actor.require((owner_of(at, phase.number), Role.DBA), f"Retrying phase {phase.number}")
    if at.run.state != RunState.IN_PROGRESS:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: resume it first, then retry.", rule="state"
        )
    return phase


@verb("retry")
def retry_phase(run_id: int, *, person: User, how: str, number: int | None = None) -> PhaseRun:
    """Try a failed phase again: finished steps are kept. Its signatures are asked for anew.

    During a rollback it tries the failed undo again. ``number``, when given, must be the failed phase. Raises
    NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    undo = at.run.state == RunState.ROLLING_BACK
    phase = rollback.may_retry_rollback(at, actor) if undo else may_retry(at, actor)
    if number is not None and number != phase.number:
        raise IllegalMove(f"Phase {number} has not failed; phase {phase.number} has.", rule="state")
    if undo:
        rollback.begin_undo(at, phase, actor=actor)
    else:
        gates.void_gate(at, gates.phase_gate(phase.number), reason="the phase is tried again", actor=actor)
        _work_again(at, phase, "retry", actor=actor)
    return phase


def _work_again(at: Situation, phase: PhaseRun, verb_name: str, *, actor: Actor) -> None:
    phase.attempt += 1
    phase.waiting = None
    phase.look_again_at = None
    phase.error = phase.kept = phase.next_step = ""
    move_phase(phase, verb_name, run=at.run, actor=actor, attempt=phase.attempt)
    dispatch.after_commit("run_phase", phase.pk)
