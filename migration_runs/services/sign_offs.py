"""Signing, and refusing to sign."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.utils import timezone

from migration_runs import phases
from migration_runs.exceptions import IllegalMove, NotAllowed, Refused, StalePlan
from migration_runs.models import SignOff
from migration_runs.phases import Role
from migration_runs.services import (
    audit,
    closing,
    evidence,
    gates,
    holding,
    notify,
    people,
    rules,
    situation,
    step_up,
)
from migration_runs.services.evidence import Evidence
from migration_runs.services.moves import move_phase, move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.step_up import StepUp
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState, RunState

TWO_PEOPLE = frozenset({7, 9})
"""Phases whose starter and signers must be at least two people."""


def gate_of(run_id: int, *, phase: int | None) -> str:
    """The gate that signing "phase N" (or, without one, the plan) means now.

    Raises Refused for an unknown run or phase.
    """
    if phase is None:
        return gates.PLAN
    at = situation.look(run_id)
    waits = at.phase(phase).state in {PhaseState.PENDING, PhaseState.READY}
    asks = bool(phases.by_number(phase).start_sign_off)
    return gates.start_gate(phase) if asks and waits else gates.phase_gate(phase)


def may_sign(at: Situation, actor: Actor, *, gate: str, role: Role | None = None) -> Role:
    """The role in which the actor may sign the gate now.

    Raises NotAllowed for who may not (wrong role, the plan's author, a second signature), IllegalMove for a
    gate that is not open.
    """
    wanted = gates.roles_of(at.plan, gate)
    if not wanted:
        raise Refused(f"Gate {gate} asks for no signature.", rule="gate")
    if closed := gates.is_open(at, gate):
        raise IllegalMove(closed, rule="state")
    if role is not None and role not in wanted:
        names = " and ".join(r.value for r in wanted)
        raise NotAllowed(f"Gate {gate} asks for {names}, not for {role.value}.", rule="role")
    actor.require((role,) if role else wanted, f"Signing {gate} of {at.run.name}")
    binds = gates.phase_of(gate) is None or gate.startswith("start:")
    if actor.user is not None and actor.user.pk == at.run.author_id and binds:
        raise NotAllowed(
            f"{actor.name} wrote the plan of {at.run.name}, and who wrote a plan never approves it.",
            rule="S2",
        )
    _not_twice(at, actor, gate)
    left = gates.missing(at, gate)
    mine = [r for r in ((role,) if role else left) if r in left and r in actor.roles]
    if not mine:
        raise NotAllowed(f"Everything that {actor.name} could sign at {gate} has been signed.", rule="S2")
    _two_people(at, actor, gate, left=left)
    return mine[0]


def _not_twice(at: Situation, actor: Actor, gate: str) -> None:
    for sign_off in at.sign_offs:
        if sign_off.gate == gate and actor.user is not None and sign_off.person_id == actor.user.pk:
            raise NotAllowed(
                f"{actor.name} has signed {gate} as {sign_off.role}; a person signs a gate once. "
                "Somebody else has to give the other signature.",
                rule="S2",
            )


def _two_people(at: Situation, actor: Actor, gate: str, *, left: tuple[Role, ...]) -> None:
    number = gates.phase_of(gate)
    if number not in TWO_PEOPLE or gate.startswith("start:") or len(left) > 1 or actor.user is None:
        return
    involved = {s.person_id for s in gates.given(at, gate)} | {at.phase(number).started_by_id, actor.user.pk}
    if len(involved) < 2:
        raise NotAllowed(
            f"{actor.name} started phase {number}; somebody else has to sign it: two people at least see it.",
            rule="S2",
        )


@verb("sign")
def sign(
    run_id: int,
    *,
    gate: str | None = None,
    role: Role | str | None = None,
    digest: str,
    approve: bool = True,
    comment: str = "",
    step_up: StepUp | None = None,
    person: User,
    how: str,
    evidence: Evidence | None = None,
) -> SignOff:
    """Sign a gate (by default the plan's), or refuse to with a comment; the last signature opens it.

    ``digest`` is the plan that the person has read (at least its first 12 digits). ``role`` may be left out
    where one fits. The target is asked what it looks like, unless ``evidence`` says so. Only approving asks
    for a step-up. Raises NotAllowed, IllegalMove, StepUpNeeded, StalePlan, or Refused when the target cannot
    be asked or a refusal has no comment.
    """
    actor = people.actor_of(person, how=how)
    gate = gate or gates.PLAN
    as_role = people.role_named(role) if role else None
    may_sign(situation.look(run_id), actor, gate=gate, role=as_role)
    if approve:  # refusing is always the safe side
        _prove(step_up, actor=actor)
    found = evidence if evidence is not None or not approve else _evidence(run_id, gate)
    at = situation.lock(run_id)
    signing_as = may_sign(at, actor, gate=gate, role=as_role)
    if len(digest) < 12 or not at.run.plan_id.startswith(digest.lower()):
        raise StalePlan(
            f"The plan of {at.run.name} is {at.run.plan_id[:12]}, not {digest[:12]}: it has changed since "
            "it was read. Read it again, then sign.",
            rule="S3",
        )
    if not approve and not comment.strip():
        raise Refused("Say why: a refused signature needs a comment.", rule="comment")
    gates.void_stale(at, gate, actor=actor)
    sign_off = _record(
        at, actor, gate=gate, role=signing_as, approve=approve, comment=comment, evidence=found
    )
    if approve:
        _open_if_complete(at, actor, gate=gate)
    else:
        _refuse(at, actor, gate=gate, comment=comment)
    sign_off.refresh_from_db()
    return sign_off


def _prove(proof: StepUp | None, *, actor: Actor) -> None:
    step_up.require(proof, actor=actor, what="Signing")


def _evidence(run_id: int, gate: str) -> Evidence | None:
    """What the target looks like, for the gates that bind it."""
    if gates.phase_of(gate) is not None and not gate.startswith("start:"):
        return None
    at = situation.look(run_id)
    return evidence.collect(at.run, at.plan)


def _record(
    at: Situation,
    actor: Actor,
    *,
    gate: str,
    role: Role,
    approve: bool,
    comment: str,
    evidence: Evidence | None,
) -> SignOff:
    expires = gates.phase_of(gate) is None or gate.startswith("start:")
    sign_off = SignOff.objects.create(
        run=at.run,
        gate=gate,
        role=role.value,
        person=cast(User, actor.user),
        plan_digest=at.run.plan_id,
        target=at.run.target,
        target_identity=evidence.identity if evidence else "",
        schema_digest=evidence.schema if evidence else "",
        approved=approve,
        comment=comment,
        expires_at=timezone.now() + rules.sign_off_valid() if expires else None,
    )
    audit.append(
        actor=actor,
        run=at.run,
        action="sign_off.approve" if approve else "sign_off.refuse",
        object=f"{gate} of {at.run.name}",
        detail={
            "gate": gate,
            "role": role,
            "comment": comment,
            "plan": at.run.plan_id,
            "target": at.run.target,
            "target_identity": sign_off.target_identity,
            "schema": sign_off.schema_digest,
        },
    )
    at.__dict__.pop("sign_offs", None)
    at.__dict__.pop("signer_roles", None)
    return sign_off


def _open_if_complete(at: Situation, actor: Actor, *, gate: str) -> None:
    if gates.missing(at, gate):
        return
    number = gates.phase_of(gate)
    if number is None:
        if at.run.state == RunState.AWAITING_APPROVAL:
            move_run(at.run, "approve", actor=actor)
            notify.turn_to_start(at, at.phase(1), actor=actor)
    elif not gate.startswith("start:"):
        closing.close_phase(at, at.phase(number), actor=actor)
    else:
        notify.turn_to_start(at, at.phase(number), actor=actor)


def _refuse(at: Situation, actor: Actor, *, gate: str, comment: str) -> None:
    number = gates.phase_of(gate)
    told = f"refused by {actor.name}: {comment}"
    if number is None:
        gates.void_gate(at, gate, reason=f"sent back by {actor.name}", actor=actor)
        if at.run.state == RunState.AWAITING_APPROVAL:
            move_run(at.run, "send_back", actor=actor, comment=comment)
            notify.sent_back(at, comment=comment, actor=actor)
    elif gate.startswith("start:"):
        gates.void_gate(at, gate, reason=told, actor=actor)
        holding.hold(
            at, kind=holding.HoldKind.PERSON, reason=f"the start of phase {number} was {told}", actor=actor
        )
    else:
        phase = at.phase(number)
        phase.error = f"Signature {told}"
        phase.kept = "Every step of the phase is done and stays done."
        phase.next_step = "Remove what was refused, then retry the phase; or roll back."
        move_phase(phase, "fail", run=at.run, actor=actor, comment=comment)
        notify.phase_failed(at, phase, actor=actor)
        gates.void_gate(at, gate, reason=told, actor=actor)
