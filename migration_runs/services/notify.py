"""Who is told what: one function for each event of a run that concerns somebody, called where it is decided.

Quiet where nothing needs a person: who caused an event is told of it only when it asks something of them, and
one fact is told once. The messages go to the outbox in the event's own transaction; workers send them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec

from django.contrib.auth.models import User

from migration_runs import phases
from migration_runs.models import PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.services import outbox
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.telling import Event, Kind, tell
from migration_runs.states import PhaseState

REASON_LENGTH = 1500

RESUME = "Find the cause. Then resume the run, or roll it back."

P = ParamSpec("P")


def _where_anybody_listens(
    event: Callable[Concatenate[Situation, P], None],
) -> Callable[Concatenate[Situation, P], None]:
    """Nothing is looked up for messages that nobody would get."""

    @functools.wraps(event)
    def wrapper(at: Situation, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if outbox.is_configured():
            event(at, *args, **kwargs)

    return wrapper


@_where_anybody_listens
def sign_off_wanted(at: Situation, gate: str, roles: Iterable[Role], *, actor: Actor) -> None:
    """Signatures of ``roles`` are missing at a gate that has opened, or at which some became void."""
    roles = tuple(roles)
    kind, _, number = gate.partition(":")
    phase = at.phase(int(number)) if number else None
    voids = at.run.sign_offs.filter(gate=gate).exclude(void_at=None).count()
    occasion = f"{phase.attempt}" if kind == "phase" and phase else f"{at.run.submitted_at:%Y%m%d%H%M%S%f}"
    until = ""
    if phase is None:
        what, happened = "Approve the plan of", f"The plan {at.run.plan_id[:12]} is up for approval."
        until = f"The run is planned to start at {at.run.planned_start:%Y-%m-%d %H:%M} UTC."
    elif kind == "start":
        what = f"Approve the start of {_phase(phase)} of"
        happened = f"{_phase(phase).capitalize()} may start after this approval."
    else:
        what, happened = f"Sign {_phase(phase)} of", f"Every step of {_phase(phase)} is done."
        until = "The next phase opens with the last signature."
    tell(
        at,
        Event(
            Kind.SIGN_OFF, f"sign:{gate}:{occasion}:{voids}", f"{what} {at.run.name}", happened,
            asked=dict.fromkeys(roles, "Read it, then sign it, or refuse to with a comment."),
            not_author=frozenset(() if kind == "phase" else roles), phase=phase.number if phase else None,
            until=until,
        ),
        actor=actor,
    )  # fmt: skip


@_where_anybody_listens
def turn_to_start(at: Situation, phase: PhaseRun, *, actor: Actor) -> None:
    """A phase lacks nothing any more but to be started: after the approval of the plan, or of its start."""
    voids = at.run.sign_offs.exclude(void_at=None).count()
    event = Event(
        Kind.TURN, f"turn:{phase.number}:{voids}", f"Start {_phase(phase)} of {at.run.name}",
        "Every approval that the start needs has been given.",
        asked={_owner(at, phase): f"Start {_phase(phase)}."}, phase=phase.number, until=_planned(phase),
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def sent_back(at: Situation, *, comment: str, actor: Actor) -> None:
    """An approver refused the plan: its author has to change it."""
    event = Event(
        Kind.TURN, f"sent_back:{at.run.submitted_at:%Y%m%d%H%M%S%f}",
        f"Change the plan of {at.run.name}: it was sent back",
        f"{actor.name} did not approve the plan: {_reason(comment)}",
        author="Change the draft, then submit it again.",
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def word_wanted(at: Situation, phase: PhaseRun, *, step: str, title: str, role: Role, actor: Actor) -> None:
    """A step waits for a person's word, with evidence."""
    undo = phase.state == PhaseState.UNDOING
    way = " (taken back, for the rollback)" if undo else ""
    event = Event(
        Kind.TURN, f"word:{phase.number}:{step}:{'undo' if undo else 'do'}",
        f"Confirm for {at.run.name}: {title}{way}",
        f"{_phase(phase).capitalize()} waits for a word: {title}{way}.",
        asked={role: "Do it, then confirm it with your evidence."}, phase=phase.number,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def watch_offered(at: Situation, *, taker: User, number: int, actor: Actor) -> None:
    """The watch of the run waits for the person who was named for it."""
    event = Event(
        Kind.TURN, f"watch:{number}", f"Take over the watch of {at.run.name}",
        f"{actor.name} hands the watch over to {taker.get_username()}. Until then it stays where it was.",
        named=taker, wanted="Read the handover card and its notes, then take over.",
        phase=at.current.number if at.current else None,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def phase_done(at: Situation, phase: PhaseRun, *, following: PhaseRun, actor: Actor) -> None:
    """A phase was signed, the next one is ready: its owner's turn, unless it asks for an approval first."""
    approvers = phases.by_number(following.number).start_sign_off
    if approvers:
        _cleanup_unlocked(at, following, approvers=approvers, actor=actor)
        return
    event = Event(
        Kind.TURN, f"done:{phase.number}", f"Start {_phase(following)} of {at.run.name}",
        f"{_phase(phase).capitalize()} is done.",
        asked={_owner(at, following): f"Start {_phase(following)}."}, author="", phase=following.number,
        until=_planned(following),
    )  # fmt: skip
    informed = f"{_phase(phase).capitalize()} of {at.run.name} is done"
    tell(at, event, actor=actor, informed=(Kind.PHASE_DONE, informed))


def _cleanup_unlocked(at: Situation, phase: PhaseRun, *, approvers: tuple[Role, ...], actor: Actor) -> None:
    event = Event(
        Kind.CLEANUP, f"unlocked:{phase.number}",
        f"Cleanup unlocked: approve the start of {_phase(phase)} of {at.run.name}",
        "The monitoring window is whole and signed. The start of the cleanup asks for an approval.",
        asked=dict.fromkeys(approvers, f"Approve the start of {_phase(phase)}, or refuse it with a comment."),
        informed=(_owner(at, phase),), author="", not_author=frozenset(approvers), phase=phase.number,
        until=_planned(phase),
    )  # fmt: skip
    tell(at, event, actor=actor, informed=(Kind.CLEANUP, f"Cleanup unlocked: {at.run.name}"))


@_where_anybody_listens
def completed(at: Situation, *, actor: Actor) -> None:
    """The last phase was signed."""
    until = (
        "It can be rolled back until an approver seals it, which may be done from "
        f"{at.run.seal_after:%Y-%m-%d %H:%M} UTC on."
        if at.run.seal_after
        else ""
    )
    event = Event(
        Kind.COMPLETED, "completed", f"Completed: {at.run.name}", "All nine phases are done and signed.",
        informed=(Role.APPROVER, Role.DBA, Role.ONCALL), author="", phase=9, until=until,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def held(at: Situation, *, sign_again: Iterable[Role] = (), actor: Actor) -> None:
    """The run went on hold, or a graver reason was added.

    ``sign_again`` are roles whose approval became void: the run resumes after they have signed again.
    """
    run = at.run
    owner = _owner(at, at.current) if at.current else None
    signers = frozenset(sign_again)
    asked = dict.fromkeys(signers, "Read the plan and the reason; sign the plan again, or roll back.")
    if run.hold_kind != Run.HoldKind.PERSON:
        asked = {role: RESUME for role in (Role.ONCALL, owner) if role} | asked
    checked = run.hold_kind == Run.HoldKind.CHECK
    event = Event(
        Kind.CHECK if checked else Kind.HOLD, f"hold:{run.held_at:%Y%m%d%H%M%S%f}:{run.hold_kind}",
        f"On hold{' by a check' if checked else ''}: {run.name}",
        f"{actor.name} put the run on hold: {_reason(run.hold_reason)}\n"
        "Nothing new starts; what is done stays done; checks go on.",
        asked=asked, informed=tuple(r for r in (Role.APPROVER, Role.ONCALL, owner) if r), author="",
        not_author=signers,
        phase=at.current.number if at.current else None,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def check_failed_on_hold(at: Situation, *, keys: Iterable[str], what: str, actor: Actor) -> None:
    """A check failed or was missed while the run was on hold anyway: once for each set of checks and hold."""
    run = at.run
    event = Event(
        Kind.CHECK, f"check:{run.held_at:%Y%m%d%H%M%S%f}:{','.join(sorted(keys))}"[:150],
        f"Check failed while on hold: {run.name}", f"{_reason(what)}\nThe run is on hold, and stays so.",
        asked={Role.ONCALL: RESUME}, phase=8,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def differences_found(at: Situation, *, what: str, actor: Actor) -> None:
    """Source and target are not equal any more while nothing holds the run for it: before phase 8."""
    owner = _owner(at, at.current) if at.current else None
    look = (
        "Look at the rows on the run page and find the cause. Then hold the run, or roll it back, if need be."
    )
    events = at.run.audit_events.filter(action="verification.fail").count()
    event = Event(
        Kind.CHECK, f"differs:{events}", f"Not equal: {at.run.name}",
        f"{_reason(what)}\nNothing was stopped by it; phase 9 does not start before both are equal.",
        asked={role: look for role in (Role.ONCALL, owner) if role}, informed=(Role.APPROVER,), author="",
        phase=at.current.number if at.current else None,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def phase_failed(at: Situation, phase: PhaseRun, *, actor: Actor) -> None:
    """A phase, or its undo, failed."""
    undo = phase.state == PhaseState.UNDO_FAILED
    parts = (
        _reason(phase.error),
        f"Kept: {_reason(phase.kept)}" if phase.kept else "",
        f"Next: {_reason(phase.next_step)}" if phase.next_step else "",
    )
    wanted = "Remove the cause and retry." + ("" if undo else " Or roll back.")
    event = Event(
        Kind.FAILED, f"{phase.state}:{phase.number}:{phase.attempt}",
        f"{'Undo failed' if undo else 'Failed'}: {_phase(phase)} of {at.run.name}",
        "\n".join(part for part in parts if part),
        asked={Role.DBA if undo else _owner(at, phase): wanted}, informed=(Role.APPROVER, Role.ONCALL),
        author="", phase=phase.number,
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def rollback_began(at: Situation, *, reason: str, actor: Actor) -> None:
    """Somebody rolls the run back."""
    why = f": {_reason(reason)}" if reason else "."
    event = Event(
        Kind.ROLLBACK, f"rollback:{at.run.rollback_at:%Y%m%d%H%M%S%f}", f"Rolling back: {at.run.name}",
        f"{actor.name} rolls the run back{why}\nPhases are undone one by one, the last one first.",
        informed=(Role.APPROVER, Role.ONCALL, Role.DBA), author="",
    )  # fmt: skip
    tell(at, event, actor=actor)


@_where_anybody_listens
def rolled_back(at: Situation, *, actor: Actor) -> None:
    """Everything that was applied has been undone."""
    event = Event(
        Kind.ROLLBACK, "rolled_back", f"Rolled back: {at.run.name}",
        "Every phase that was applied has been undone.",
        informed=(Role.APPROVER, Role.ONCALL, Role.DBA), author="",
    )  # fmt: skip
    tell(at, event, actor=actor)


def _owner(at: Situation, phase: PhaseRun) -> Role:
    return at.plan.runbook.phase(phase.number).owner


def _phase(phase: PhaseRun) -> str:
    return f"phase {phase.number} ({phase.phase.title})"


def _planned(phase: PhaseRun) -> str:
    return f"Planned for {phase.planned_start:%Y-%m-%d %H:%M} UTC."


def _reason(text: str) -> str:
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH]} …"
