"""Starting phases: in order, by their owner, only with what each start asks for."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from migration_runs import dispatch, phases
from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import PhaseRun
from migration_runs.phases import Role
from migration_runs.services import evidence as evidence_service
from migration_runs.services import (
    gates,
    people,
    readiness,
    situation,
    step_up,
    submission,
    verification,
    verification_schedule,
)
from migration_runs.services.evidence import Evidence
from migration_runs.services.moves import move_phase, move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.step_up import StepUp
from migration_runs.services.verbs import verb
from migration_runs.services.window import verdict_of
from migration_runs.states import PhaseState, RunState

FIRST, MONITORING, CLEANUP = 1, 8, 9


def owner_of(at: Situation, number: int) -> Role:
    """The role that owns a phase of the run."""
    return at.plan.runbook.phase(number).owner


def may_start(at: Situation, actor: Actor, *, number: int) -> PhaseRun:
    """The phase, if the actor may start it now, but for the step-up.

    Raises NotAllowed for the wrong role; IllegalMove out of order, twice, on hold; Refused for what is
    missing: approvals, readiness, a whole window, a clean verification, the approval of the cleanup.
    """
    phase = at.phase(number)
    actor.require((owner_of(at, number),), f"Starting phase {number} of {at.run.name}")
    _in_turn(at, phase)
    if number == FIRST:
        _approved(at, gates.PLAN)
        readiness.require_day_before(at)
    if number == MONITORING:
        submission.require_sweeper_in_time(at.plan)
    if number == CLEANUP:
        require_healthy(at)
    if phases.by_number(number).start_sign_off:
        _approved(at, gates.start_gate(number))
    return phase


def _in_turn(at: Situation, phase: PhaseRun) -> None:
    run, number = at.run, phase.number
    if run.state == RunState.ON_HOLD:
        raise IllegalMove(f"{run.name} is on hold: {run.hold_reason}. Resume it first.", rule="state")
    if phase.state not in {PhaseState.PENDING, PhaseState.READY}:
        by = f" by {phase.started_by.get_username()}" if phase.started_by else ""
        when = f" at {phase.started_at:%H:%M:%S} UTC{by}" if phase.started_at else ""
        raise IllegalMove(
            f"Phase {number} of {run.name} was started already{when}: it is {gates.words(phase.state)}.",
            rule="state",
        )
    if number == FIRST and run.state == RunState.APPROVED:
        return
    if run.state != RunState.IN_PROGRESS:
        hint = " Phase 1 starts it." if run.state == RunState.APPROVED else ""
        void = run.sign_offs.exclude(void_at=None).filter(gate=gates.PLAN).order_by("void_at").last()
        why = f" An approval became void: {void.void_reason}." if void and run.submitted_at else ""
        raise IllegalMove(
            f"{run.name} is {gates.words(run.state)}: phase {number} cannot start.{hint}{why}", rule="state"
        )
    if phase.state != PhaseState.READY:
        before = next(p for p in at.phases.values() if p.state != PhaseState.DONE)
        raise IllegalMove(
            f"Phase {number} cannot start: phase {before.number} ({before.phase.title}) is "
            f"{gates.words(before.state)}. "
            "Phases go in order.",
            rule="order",
        )


def _approved(at: Situation, gate: str) -> None:
    left = gates.missing(at, gate)
    if left:
        what = "the plan's approval" if gate == gates.PLAN else "the approval of this start"
        raise Refused(f"{what.capitalize()} lacks the signature of {' and '.join(left)}.", rule="approval")


def require_healthy(at: Situation) -> None:
    """Raises Refused, saying what is missing, unless the window is whole and the last verification clean.

    No role opens this.
    """
    verdict = verdict_of(at)
    if not verdict.whole:
        raise Refused(
            f"Cleanup is locked: the monitoring window is not whole: {'; '.join(verdict.lacks)}.",
            rule="window",
        )
    report = at.verification
    if report is None or (at.window is not None and report.started_at < at.window.started_at):
        raise Refused(
            "Cleanup is locked: source and target have not been verified yet since monitoring began.",
            rule="verification",
        )
    unclean = readiness.unclean_report(at)
    if unclean is not None:
        what = "verification" if unclean.pk == report.pk else "look at what was touched"
        raise Refused(
            f"Cleanup is locked: the last {what} ({unclean.at:%Y-%m-%d %H:%M:%S} UTC) found "
            f"{verification.fault_of(unclean)}.",
            rule="verification",
        )
    bound = verification_schedule.fresh_for(at.plan.clock_speed, report.seconds)
    if at.now() - report.at > bound:
        raise Refused(
            f"Cleanup is locked: the last full verification is of {report.at:%Y-%m-%d %H:%M:%S} UTC, too "
            "long ago. Ask for one now (Verify now, or manage.py verify).",
            rule="verification",
        )


def _asks_target(at: Situation, number: int) -> bool:
    """Whether something that binds the target as it is would be held against it at this start."""
    if at.run.state not in gates.PLAN_MATTERS:
        return False
    return _gate_before(number) is not None or bool(at.phase(number - 1).schema_digest)


def _gate_before(number: int) -> str | None:
    """The gate whose signatures bind the target as it is when the phase starts."""
    if number == FIRST:
        return gates.PLAN
    return gates.start_gate(number) if phases.by_number(number).start_sign_off else None


@verb("start", atomic=False)
def start_phase(
    run_id: int,
    *,
    number: int,
    person: User,
    how: str,
    step_up: StepUp | None = None,
    evidence: Evidence | None = None,
) -> PhaseRun:
    """Start a phase; workers hear of it once this is committed.

    Before it, every signature that still matters is looked at again, and what became void has its
    consequences even though the start is then refused. The target is asked what it looks like, unless
    ``evidence`` says so: it must be as it was signed for (phases 1 and 9), and as the phase before left it.
    Raises what :func:`may_start` raises, StepUpNeeded for phases 7 and 9,
    Refused when the target cannot be asked.
    """
    actor = people.actor_of(person, how=how)
    at = situation.look(run_id)
    gate = _gate_before(at.phase(number).number)
    if evidence is None and _asks_target(at, number) and owner_of(at, number) in actor.roles:
        evidence = evidence_service.collect(at.run, at.plan)

    def drifted(at: Situation) -> bool:
        return (
            evidence is not None
            and number > FIRST
            and gates.refuse_drift(at, number=number, actor=actor, evidence=evidence)
        )

    # What became void must stay so although the start is refused, hence transactions of their own; where all
    # still holds, as nearly always, one does for everything.
    with transaction.atomic():
        at = situation.lock(run_id)
        bound = evidence if gate else None
        became_void = gates.refresh(at, actor=actor, evidence=bound, gate=gate or gates.PLAN)
        if not became_void and not drifted(at):
            return _start(at, actor, number=number, proof=step_up)
    if became_void:
        with transaction.atomic():
            drifted(situation.lock(run_id))
    with transaction.atomic():
        return _start(situation.lock(run_id), actor, number=number, proof=step_up)


def _start(at: Situation, actor: Actor, *, number: int, proof: StepUp | None) -> PhaseRun:
    phase = may_start(at, actor, number=number)
    if phases.by_number(number).step_up_to_start:
        step_up.require(proof, actor=actor, what=f"Starting phase {number}")
    run = at.run
    now = timezone.now()
    if number == FIRST:
        run.started_at = now
        move_run(run, "start", actor=actor)
        move_phase(phase, "make_ready", run=run, actor=actor)
    assigned = actor.user is not None and at.assigned.get(owner_of(at, number)) == actor.user.pk
    phase.started_by = actor.user
    phase.started_at = now
    phase.attempt = 1
    move_phase(phase, "start", run=run, actor=actor, plan=run.plan_id, assigned=assigned)
    dispatch.after_commit("run_phase", phase.pk)
    return phase
