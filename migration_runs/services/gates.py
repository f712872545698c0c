"""Gates: where signatures are asked for, which of them count, and what makes one void.

``plan`` is the approval of the plan; ``start:N`` the approval without which phase N does not start;
``phase:N`` closes phase N.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from migration_runs import phases
from migration_runs.exceptions import Refused
from migration_runs.models import PhaseRun, SignOff
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import AssertStep, SqlStep
from migration_runs.services import audit, holding, notify
from migration_runs.services.evidence import Evidence
from migration_runs.services.moves import move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState, RunState

PLAN = "plan"
STARTED = frozenset({RunState.IN_PROGRESS, RunState.ON_HOLD})
PLAN_MATTERS = STARTED | {RunState.AWAITING_APPROVAL, RunState.APPROVED}


def start_gate(number: int) -> str:
    """The gate before phase ``number`` may start."""
    return f"start:{number}"


def phase_gate(number: int) -> str:
    """The gate that closes phase ``number``."""
    return f"phase:{number}"


def phase_of(gate: str) -> int | None:
    """The phase that a gate belongs to; None for the plan's. Raises Refused for what is no gate."""
    if gate == PLAN:
        return None
    kind, _, number = gate.partition(":")
    if kind in {"start", "phase"} and number.isdecimal() and 1 <= int(number) <= len(phases.PHASES):
        return int(number)
    raise Refused(f"There is no gate '{gate}': use plan, start:9 or phase:1 to phase:9.", rule="gate")


def roles_of(plan: Plan, gate: str) -> tuple[Role, ...]:
    """Whose signatures the gate asks for; empty for a phase that asks none to start."""
    number = phase_of(gate)
    if number is None:
        return plan.runbook.approvals
    if gate.startswith("start:"):
        return phases.by_number(number).start_sign_off
    return plan.runbook.phase(number).sign_off


def open_gates(at: Situation) -> list[str]:
    """Every gate that can be signed now, in the order of the phases."""
    wanted = [PLAN]
    for phase in phases.PHASES:
        wanted += [start_gate(phase.number)] if phase.start_sign_off else []
        wanted.append(phase_gate(phase.number))
    return [gate for gate in wanted if not is_open(at, gate)]


def is_open(at: Situation, gate: str) -> str:
    """Why the gate cannot be signed now; empty when it can."""
    number = phase_of(gate)
    state = at.run.state
    if number is None:
        if state == RunState.AWAITING_APPROVAL or (state == RunState.ON_HOLD and missing(at, gate)):
            return ""
        return f"The plan of {at.run.name} is not up for approval: the run is {words(state)}."
    if state != RunState.IN_PROGRESS:
        reason = f" ({at.run.hold_reason})" if state == RunState.ON_HOLD else ""
        return f"{at.run.name} is {words(state)}{reason}: phases are signed while it is in progress."
    phase = at.phase(number)
    wanted = PhaseState.READY if gate.startswith("start:") else PhaseState.AWAITING_SIGN_OFF
    if phase.state != wanted:
        what = "ready to start" if wanted == PhaseState.READY else "waiting for signatures"
        return f"Phase {number} is not {what}: it is {words(phase.state)}."
    return ""


def given(at: Situation, gate: str) -> list[SignOff]:
    """Signatures at the gate that count now."""
    return [s for s in at.sign_offs if s.gate == gate and s.approved and not fault_of(at, s)]


def missing(at: Situation, gate: str) -> tuple[Role, ...]:
    """Roles whose signature the gate still lacks."""
    have = {sign_off.role for sign_off in given(at, gate)}
    return tuple(role for role in roles_of(at.plan, gate) if role.value not in have)


def fault_of(at: Situation, sign_off: SignOff, *, evidence: Evidence | None = None) -> str:
    """Why a signature no longer counts; empty while it does.

    ``evidence`` is the target as it is now, if asked.
    """
    if sign_off.plan_digest != at.run.plan_id:
        return "it was given for another plan"
    if Role(sign_off.role) not in at.signer_roles.get(sign_off.person_id, frozenset()):
        return f"{sign_off.person.get_username()} no longer has the role {sign_off.role}"
    if sign_off.expires_at and sign_off.expires_at <= timezone.now() and not _used(at, sign_off.gate):
        return f"it expired at {sign_off.expires_at:%Y-%m-%d %H:%M} UTC"
    if evidence and sign_off.target_identity and sign_off.target_identity != evidence.identity:
        return f"target '{at.run.target}' is another database than the one it was given for"
    if evidence and sign_off.schema_digest and sign_off.schema_digest != evidence.schema:
        return "the target's tables or functions have changed since"
    return ""


def drift_of(at: Situation, *, number: int, evidence: Evidence) -> str:
    """What changed on the target since the phase before ``number`` ended, by other hands; empty: nothing.

    A run's own steps change the schema, so the digest at the end of a phase that has such steps is the
    expected one from there on. Another one counts as agreed when the plan was signed again after that phase,
    on the target as it is now.
    """
    before = _last_change(at, number)
    approvals = given(at, PLAN)
    if any(s.target_identity and s.target_identity != evidence.identity for s in approvals):
        return f"target '{at.run.target}' is another database than the one that the plan was approved for"
    if not before.schema_digest or before.schema_digest == evidence.schema:
        return ""
    ended = before.finished_at
    if any(s.schema_digest == evidence.schema and ended is not None and s.at > ended for s in approvals):
        return ""
    return f"the target's tables or functions have changed since the end of phase {before.number}"


def _last_change(at: Situation, number: int) -> PhaseRun:
    """The phase before ``number`` whose end says how the schema must be: the last one that may change it."""
    before = number - 1
    while before > 1 and not may_change_schema(at.plan, before) and at.phase(before - 1).schema_digest:
        before -= 1
    return at.phase(before)


def may_change_schema(plan: Plan, number: int) -> bool:
    """Whether a phase has steps that may change the schema that signatures bind."""
    return any(
        (isinstance(step, SqlStep) and not step.trial)
        or (isinstance(step, AssertStep) and step.repair is not None)
        for step in plan.runbook.phase(number).steps
    )


def _used(at: Situation, gate: str) -> bool:
    """Whether the start that the signature allows has happened: from then on it cannot expire."""
    number = phase_of(gate) or 1
    return bool(at.phase(number).started_at)


def void(at: Situation, sign_offs: Iterable[SignOff], *, reason: str, actor: Actor) -> None:
    """Make signatures void, each with an event. They stay on record."""
    for sign_off in sign_offs:
        sign_off.void_at = timezone.now()
        sign_off.void_reason = reason
        sign_off.save(update_fields=["void_at", "void_reason"])
        audit.append(
            actor=actor,
            run=at.run,
            action="sign_off.void",
            object=f"{sign_off.gate} of {at.run.name}",
            detail={"role": sign_off.role, "person": sign_off.person.get_username(), "reason": reason},
        )
    at.__dict__.pop("sign_offs", None)
    at.__dict__.pop("signer_roles", None)


def void_gate(at: Situation, gate: str, *, reason: str, actor: Actor) -> None:
    """Make every signature at a gate void: it starts anew."""
    void(at, [s for s in at.sign_offs if s.gate == gate], reason=reason, actor=actor)


def void_stale(at: Situation, gate: str, *, actor: Actor) -> None:
    """Make signatures at a gate void that no longer count, each for its own reason.

    Before somebody else signs in such a role: a role signs a gate once.
    """
    for sign_off in at.sign_offs:
        if sign_off.gate == gate and (reason := fault_of(at, sign_off)):
            void(at, [sign_off], reason=reason, actor=actor)


def refresh(at: Situation, *, actor: Actor, evidence: Evidence | None = None, gate: str = PLAN) -> bool:
    """Look again at every signature that still matters; whether any became void, which is marked.

    An approval that became void takes the run back to ``awaiting_approval``, or holds it once it has
    started. ``evidence`` is held against the signatures of ``gate`` alone: a run's own steps change the
    schema. What was changed must be committed, even where what the caller was asked for is then refused.
    """
    if at.run.state not in PLAN_MATTERS:
        return False
    reasons, lacking = [], set()
    for sign_off in at.sign_offs:
        if not _matters(at, sign_off.gate):
            continue
        reason = fault_of(at, sign_off, evidence=evidence if sign_off.gate == gate else None)
        if reason:
            reasons.append(reason)
            lacking.add(sign_off.gate)
            void(at, [sign_off], reason=reason, actor=actor)
    _ask_again(at, lacking - {PLAN}, actor=actor)
    if reasons and missing(at, PLAN):
        told = f"an approval became void: {'; '.join(reasons)}"
        if at.run.state == RunState.APPROVED:
            move_run(at.run, "void_approval", actor=actor, reason=told)
            _ask_again(at, {PLAN}, actor=actor)
        elif at.run.state in STARTED:
            _hold_for_approval(at, reason=told, actor=actor)
    return bool(reasons)


def refuse_drift(at: Situation, *, number: int, actor: Actor, evidence: Evidence) -> bool:
    """Make the approvals void where the target drifted since the phase before; whether it has.

    The run is then on hold until the plan is signed again, for the target as it is. To be committed as
    :func:`refresh` says.
    """
    if at.run.state != RunState.IN_PROGRESS or at.phase(number).state != PhaseState.READY:
        return False
    drift = drift_of(at, number=number, evidence=evidence)
    if not drift:
        return False
    for gate in (PLAN, start_gate(number)):
        void_gate(at, gate, reason=drift, actor=actor)
    _hold_for_approval(at, reason=f"an approval became void: {drift}", actor=actor)
    return True


def _hold_for_approval(at: Situation, *, reason: str, actor: Actor) -> None:
    """Hold the run until the plan is signed again, and ask for that."""
    holding.hold(at, kind=holding.HoldKind.VOID, reason=reason, actor=actor, sign_again=missing(at, PLAN))


def _ask_again(at: Situation, lacking: Iterable[str], *, actor: Actor) -> None:
    for gate in sorted(lacking):
        notify.sign_off_wanted(at, gate, missing(at, gate), actor=actor)


def _matters(at: Situation, gate: str) -> bool:
    """Whether what the gate opens is still to come: closed phases are history."""
    number = phase_of(gate)
    if number is None:
        return True
    state = at.phase(number).state
    if gate.startswith("start:"):
        return state in {PhaseState.PENDING, PhaseState.READY}
    return bool(state == PhaseState.AWAITING_SIGN_OFF)


def words(state: str) -> str:
    """A state as people read it."""
    return str(state).replace("_", " ")
