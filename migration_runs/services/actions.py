"""What a person may do on a run now, by the very rules that the verbs enforce, and why not where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.contrib.auth.models import User

from migration_runs import phases
from migration_runs.exceptions import Refused
from migration_runs.models import Run
from migration_runs.phases import Role
from migration_runs.services import (
    adjusting,
    driving,
    gates,
    people,
    rollback,
    sealing,
    sign_offs,
    starting,
    submission,
    verification,
)
from migration_runs.services.offer import Action
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState, RunState

S, P = RunState, PhaseState


@dataclass(frozen=True)
class Offer:
    """An action without a phase or gate: in which states it makes sense, and the rule that allows it.

    ``applies`` false keeps it off the page altogether: the run has nothing that it could be about.
    """

    verb: str
    label: str
    states: frozenset[RunState]
    rule: Callable[[Situation, Actor], object]
    needs_step_up: bool = False
    asks_comment: bool = False
    danger: bool = False
    phase_states: frozenset[PhaseState] | None = None
    applies: Callable[[Situation], bool] | None = None


# fmt: off
OFFERS = (
    Offer("submit", "Submit for approval", frozenset({S.DRAFT}), submission.may_submit),
    Offer(
        "withdraw", "Withdraw", frozenset({S.AWAITING_APPROVAL}), submission.may_withdraw, asks_comment=True,
    ),
    Offer(
        "resume", "Resume", frozenset({S.IN_PROGRESS}), driving.may_resume,
        phase_states=frozenset({P.PAUSED}), asks_comment=True,
    ),
    Offer("resume", "Resume", frozenset({S.ON_HOLD}), driving.may_resume, asks_comment=True),
    Offer(
        "retry", "Retry", frozenset({S.IN_PROGRESS, S.ON_HOLD}), driving.may_retry,
        phase_states=frozenset({P.FAILED}),
    ),
    Offer(
        "retry_rollback", "Retry the rollback", frozenset({S.ROLLING_BACK}), rollback.may_retry_rollback,
        phase_states=frozenset({P.UNDO_FAILED}),
    ),
    Offer(
        "pause", "Pause", frozenset({S.IN_PROGRESS}), driving.may_pause, phase_states=frozenset({P.RUNNING}),
    ),
    Offer(
        "pause_now", "Pause now", frozenset({S.IN_PROGRESS, S.ON_HOLD}), partial(driving.may_pause, now=True),
        phase_states=frozenset({P.RUNNING, P.PAUSING}),
    ),
    Offer("hold", "Hold the run", frozenset({S.IN_PROGRESS}), driving.may_hold, asks_comment=True),
    Offer(
        "adjust", "Adjust the copy", adjusting.STATES, adjusting.may_adjust, asks_comment=True,
        applies=adjusting.copies,
    ),
    Offer("verify", "Verify now", frozenset({S.IN_PROGRESS, S.ON_HOLD}), verification.may_request),
    Offer(
        "cancel", "Cancel the run", frozenset({S.DRAFT, S.AWAITING_APPROVAL, S.APPROVED}),
        submission.may_cancel,
        asks_comment=True, danger=True,
    ),
    Offer("seal", "Seal", frozenset({S.COMPLETED}), sealing.may_seal, danger=True),
    Offer(
        "roll_back", "Roll back", frozenset({S.APPROVED, S.IN_PROGRESS, S.ON_HOLD, S.COMPLETED}),
        rollback.may_roll_back, needs_step_up=True, asks_comment=True, danger=True,
    ),
)  # fmt: skip
"""In the order in which pages show them. Starting and signing are made from the phases and gates below."""


def allowed_actions(run: Run, person: User) -> tuple[Action, ...]:
    """Every action that makes sense in the run's state; ``why_not`` where it is not allowed."""
    at = Situation(run)
    actor = people.actor_of(person, how="")
    return (*_sign(at, actor), *_start(at, actor), *_others(at, actor))


def _why_not(rule: Callable[[], object]) -> str:
    try:
        rule()
    except Refused as refusal:
        return str(refusal)
    return ""


def _sign(at: Situation, actor: Actor) -> list[Action]:
    found = []
    for gate in gates.open_gates(at):
        for role in gates.missing(at, gate):
            why_not = _why_not(partial(sign_offs.may_sign, at, actor, gate=gate, role=role))
            found.append(_signing(gate, role, why_not))
            if gate == gates.PLAN:
                found.append(
                    Action(
                        "send_back",
                        "Send back",
                        not why_not,
                        why_not,
                        gate=gate,
                        role=role,
                        asks_comment=True,
                    )
                )
    return found


def _signing(gate: str, role: Role, why_not: str) -> Action:
    number = gates.phase_of(gate)
    what = "Approve the plan" if number is None else f"Sign phase {number}"
    if gate.startswith("start:"):
        what = f"Approve the start of phase {number}"
    return Action(
        "sign", f"{what} as {role.value}", not why_not, why_not, phase=number, gate=gate, role=role,
        needs_step_up=True, asks_comment=True,
    )  # fmt: skip


def _start(at: Situation, actor: Actor) -> list[Action]:
    number = _next_phase(at)
    if number is None:
        return []
    why_not = _why_not(partial(starting.may_start, at, actor, number=number))
    label = f"Start phase {number}: {phases.by_number(number).title}"
    step_up = phases.by_number(number).step_up_to_start
    return [Action("start", label, not why_not, why_not, phase=number, needs_step_up=step_up)]


def _next_phase(at: Situation) -> int | None:
    if at.run.state == RunState.APPROVED:
        return starting.FIRST
    if at.run.state not in {RunState.IN_PROGRESS, RunState.ON_HOLD}:
        return None
    return next((p.number for p in at.phases.values() if p.state == PhaseState.READY), None)


def _others(at: Situation, actor: Actor) -> list[Action]:
    found = []
    for offer in OFFERS:
        phase = at.current
        if at.run.state not in offer.states:
            continue
        if offer.phase_states is not None and (phase is None or phase.state not in offer.phase_states):
            continue
        if offer.applies is not None and not offer.applies(at):
            continue
        why_not = _why_not(partial(offer.rule, at, actor))
        found.append(
            Action(
                offer.verb,
                offer.label,
                not why_not,
                why_not,
                phase=phase.number if phase and offer.phase_states else None,
                needs_step_up=offer.needs_step_up,
                asks_comment=offer.asks_comment,
                danger=offer.danger,
            )
        )
    return found
