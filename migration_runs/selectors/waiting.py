"""What waits for a person: every verb that the rules allow them now and that is theirs on that run.

Many people may hold a role; a run names one of them. What that one may do waits for that one alone, and for
the others only where the rules keep the named one off: who wrote a plan never approves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from migration_runs import phases
from migration_runs.exceptions import Refused
from migration_runs.models import PhaseRun, SignOff
from migration_runs.phases import Role
from migration_runs.runbook.steps import ConfirmStep
from migration_runs.selectors.sentences import sentence
from migration_runs.selectors.start_views import WaitingView
from migration_runs.selectors.steps_in_front import StepsInFront
from migration_runs.services import (
    confirmations,
    driving,
    gates,
    readiness,
    rollback,
    sealing,
    sign_offs,
    starting,
    submission,
)
from migration_runs.services.offer import Action
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState, RunState

S = RunState
GROUPS_DUE: Mapping[str, tuple[str, ...]] = {
    S.AWAITING_APPROVAL: ("approvers",),
    S.APPROVED: ("approvers", "day_before"),
    S.IN_PROGRESS: ("approvers", "day_before", "day_of"),
    S.ON_HOLD: ("approvers", "day_before", "day_of"),
    S.COMPLETED: ("approvers", "day_before", "day_of", "after"),
}
"""Groups of the checklist that are looked at by then, by the run's state."""
URGENCY = ("retry", "retry_rollback", "resume", "sign", "confirm", "start", "seal", "tick", "submit")


@dataclass(frozen=True)
class Looking:
    """A run, the person who looks, and everybody else who has a role."""

    at: Situation
    me: Actor
    everybody: Mapping[int, Actor]
    steps: StepsInFront
    voided: tuple[SignOff, ...]

    def mine(self, role: Role, rule: Callable[[Actor], object]) -> bool:
        """Whether the rule lets me, and I am named for the role, or the one who is may not."""
        if not _lets(rule, self.me):
            return False
        named = self.at.assigned.get(role)
        if named is None or self.is_me(named):
            return True
        other = self.everybody.get(named)
        return other is None or not _lets(rule, other)

    def is_me(self, person_id: int | None) -> bool:
        """Whether the id is mine."""
        return self.me.user is not None and person_id == self.me.user.pk

    def name_of(self, role: Role) -> str:
        """Who is named for the role, and the role."""
        named = self.everybody.get(self.at.assigned.get(role, 0))
        return f"{named.name} ({role.value})" if named else f"somebody with the role {role.value}"


def _lets(rule: Callable[[Actor], object], actor: Actor) -> bool:
    try:
        rule(actor)
    except Refused:
        return False
    return True


def waiting_for(found: Looking) -> Iterator[WaitingView]:
    """Everything on one run that waits for the person who looks."""
    for look in (_submit, _sign, _start, _confirm, _retry, _resume, _retry_rollback, _tick, _seal):
        yield from look(found)


def most_urgent_first(item: WaitingView) -> tuple[int, float, int]:
    """What to sort by: what stopped first, then what others wait for, the oldest of a kind first."""
    return URGENCY.index(item.kind), item.since.timestamp() if item.since else 0.0, item.id


def _item(
    found: Looking,
    kind: str,
    what: str,
    text: str,
    button: str,
    *,
    since: datetime | None = None,
    tone: str = "next",
    action: Action | None = None,
) -> WaitingView:
    return WaitingView(
        kind=kind,
        tone=tone,
        id=found.at.run.pk,
        headline=f"{what} {found.at.run.name} on {found.at.run.target}",
        text=text,
        since=since,
        button=button,
        action=action,
    )


def _submit(found: Looking) -> Iterator[WaitingView]:
    if not _lets(partial(submission.may_submit, found.at), found.me):
        return
    wanted = " and ".join(role.value for role in found.at.plan.runbook.approvals)
    yield _item(
        found, "submit", "Submit", f"Your draft. It will ask for the approval of {wanted}.",
        "Read and submit", since=found.at.run.created_at, tone="draft",
        action=Action("submit", "Submit", allowed=True),
    )  # fmt: skip


def _sign(found: Looking) -> Iterator[WaitingView]:
    at = found.at
    for gate in gates.open_gates(at):
        for role in gates.missing(at, gate):
            if found.mine(role, partial(_may_sign, at, gate=gate, role=role)):
                yield _signature(found, gate, role)


def _may_sign(at: Situation, actor: Actor, *, gate: str, role: Role) -> object:
    return sign_offs.may_sign(at, actor, gate=gate, role=role)


def _signature(found: Looking, gate: str, role: Role) -> WaitingView:
    number = gates.phase_of(gate)
    title = f"phase {number} {phases.by_number(number).title}" if number else "the plan"
    since: datetime | None
    if number is None:
        what, since = "Approve the plan of", found.at.run.submitted_at
        text = f"You read and approve it as {role.value}. Nothing has been executed."
        if found.at.run.state == S.ON_HOLD:
            since = found.at.run.held_at
            text = sentence(f"The run is on hold until then: {found.at.run.hold_reason}")
    elif gate.startswith("start:"):
        what, since = f"Approve the start of {title} of", found.at.phase(number - 1).finished_at
        text = "The window is over. From this signature on the phase may start."
    else:
        what, since = f"Sign {title} of", found.steps.ended_at(found.at.phase(number).pk)
        text = found.steps.summary(found.at.phase(number).pk) or "Every step is done: read what they found."
    void = next((s for s in found.voided if s.gate == gate and s.role == role.value), None)
    if void is not None:
        text = f"A signature became void: {void.void_reason}. {text}"
    action = Action("sign", "Sign", allowed=True, phase=number, gate=gate, role=role)
    tone = "void" if void is not None or found.at.run.state == S.ON_HOLD else "awaiting_sign_off"
    return _item(found, "sign", what, text, "Read and sign", since=since, tone=tone, action=action)


def _start(found: Looking) -> Iterator[WaitingView]:
    at = found.at
    number = next((p.number for p in at.phases.values() if p.state == PhaseState.READY), None)
    if at.run.state == S.APPROVED:
        number = starting.FIRST
    if number is None:
        return
    rule = partial(_may_start, at, number=number)
    if not found.mine(starting.owner_of(at, number), rule):
        return
    before = at.phases.get(number - 1)
    fixed = phases.by_number(number)
    yield _item(
        found, "start", f"Start phase {number} {fixed.title} of", f"It does: {fixed.purpose}.",
        "Read and start", since=before.finished_at if before else at.run.submitted_at, tone="ready",
        action=Action("start", "Start", allowed=True, phase=number),
    )  # fmt: skip


def _may_start(at: Situation, actor: Actor, *, number: int) -> object:
    return starting.may_start(at, actor, number=number)


def _confirm(found: Looking) -> Iterator[WaitingView]:
    at, phase = found.at, found.at.current
    key = str((phase.waiting or {}).get("step", "")) if phase is not None else ""
    if phase is None or not key or phase.state == PhaseState.PAUSED:
        return
    declared = next((s for s in at.plan.runbook.phase(phase.number).steps if s.key == key), None)
    if not isinstance(declared, ConfirmStep):
        return
    if found.steps.confirmed(phase.pk, key, undo=phase.state == PhaseState.UNDOING):
        return
    if not found.mine(declared.role, partial(_may_confirm, at, number=phase.number, step=key)):
        return
    asked = declared.undo_text if phase.state == PhaseState.UNDOING else declared.text
    yield _item(
        found, "confirm", f"Confirm “{declared.title}” of", f"{asked} Evidence: {declared.evidence_hint}.",
        "Give the evidence", since=found.steps.since(phase.pk, key), tone="waiting",
    )  # fmt: skip


def _may_confirm(at: Situation, actor: Actor, *, number: int, step: str) -> object:
    return confirmations.may_confirm(at, actor, number=number, step=step)


def _retry(found: Looking) -> Iterator[WaitingView]:
    at, phase = found.at, found.at.current
    if phase is None or phase.state != PhaseState.FAILED:
        return
    rule = partial(driving.may_retry, at)
    if not (found.mine(starting.owner_of(at, phase.number), rule) or found.mine(Role.DBA, rule)):
        return
    yield _item(
        found, "retry", f"Retry phase {phase.number} {phase.phase.title} of", _failure(phase),
         "Read and retry", since=found.steps.ended_at(phase.pk), tone="failed",
        action=Action("retry", "Retry", allowed=True, phase=phase.number),
    )  # fmt: skip


def _failure(phase: PhaseRun) -> str:
    kept = f" Kept: {sentence(phase.kept)}" if phase.kept else ""
    return f"It failed: {sentence(phase.error)}{kept}"


def _resume(found: Looking) -> Iterator[WaitingView]:
    at, phase, run = found.at, found.at.current, found.at.run
    paused = phase is not None and phase.state == PhaseState.PAUSED
    if run.state != S.ON_HOLD and not paused:
        return
    owner = starting.owner_of(at, phase.number) if phase is not None else Role.DBA
    rule = partial(driving.may_resume, at)
    stopped_by = run.held_by_id if run.state == S.ON_HOLD else None
    if not (found.mine(owner, rule) or (found.is_me(stopped_by) and _lets(rule, found.me))):
        return
    if run.state == S.ON_HOLD:
        what, text, since, tone = "Resume", sentence(f"On hold: {run.hold_reason}"), run.held_at, "on_hold"
    else:
        number = phase.number if phase is not None else 0
        what, since, tone = f"Resume phase {number} of", None, "paused"
        text = "The phase is paused. What is done stays done."
    yield _item(
        found, "resume", what, text, "Read and resume", since=since, tone=tone,
        action=Action("resume", "Resume", allowed=True),
    )  # fmt: skip


def _retry_rollback(found: Looking) -> Iterator[WaitingView]:
    at, phase, run = found.at, found.at.current, found.at.run
    if phase is None or run.state != S.ROLLING_BACK or phase.state != PhaseState.UNDO_FAILED:
        return
    rule = partial(rollback.may_retry_rollback, at)
    if not (found.mine(Role.DBA, rule) or (found.is_me(run.rollback_by_id) and _lets(rule, found.me))):
        return
    yield _item(
        found, "retry_rollback", f"Retry the undo of phase {phase.number} of", _failure(phase),
        "Read and retry", since=found.steps.ended_at(phase.pk), tone="undo_failed",
        action=Action("retry_rollback", "Retry", allowed=True),
    )  # fmt: skip


def _tick(found: Looking) -> Iterator[WaitingView]:
    at = found.at
    due = GROUPS_DUE.get(at.run.state, ())
    mine = [
        item
        for item in at.plan.runbook.readiness
        if item.group in due
        and not item.automatic
        and found.mine(item.role, partial(_may_tick, at, item=item.key))
    ]
    if mine:
        lines = "a line" if len(mine) == 1 else f"{len(mine)} lines"
        yield _item(
            found, "tick", f"Tick {lines} of the checklist of", "; ".join(item.text for item in mine) + ".",
            "Open the checklist", since=at.run.submitted_at, tone="open",
        )  # fmt: skip


def _may_tick(at: Situation, actor: Actor, *, item: str) -> object:
    return readiness.may_tick(at, actor, item=item)


def _seal(found: Looking) -> Iterator[WaitingView]:
    if found.mine(Role.APPROVER, partial(sealing.may_seal, found.at)):
        yield _item(
            found, "seal", "Seal", "The retention is over. Sealing ends the time in which it can be rolled "
            "back.", "Read and seal", since=found.at.run.seal_after, tone="sealed",
            action=Action("seal", "Seal", allowed=True, danger=True),
        )  # fmt: skip
