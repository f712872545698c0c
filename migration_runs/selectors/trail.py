"""Audit events as people read them."""

from __future__ import annotations

import re

from migration_runs.models import AuditEvent, Run
from migration_runs.selectors.trail_views import EventView


def latest_events(run: Run, count: int) -> tuple[EventView, ...]:
    """The last events of a run, newest first; without messages that arrived, which would hide the rest."""
    rows = AuditEvent.objects.filter(run=run).exclude(action="notify.sent").order_by("-seq")[:count]
    return tuple(view(row) for row in rows)


def view(row: AuditEvent) -> EventView:
    """An event with its sentence."""
    return EventView(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        actor_how=row.actor_how,
        action=row.action,
        sentence=sentence(row),
        detail=row.detail,
        hash=row.hash,
    )


# Action → what the actor did; {object} is what it was done to.
SAID = {
    "run.create": "wrote {object}",
    "run.revise": "changed the draft of {object}",
    "run.assign": "named the people of {object}",
    "run.submit": "submitted {object} for approval",
    "run.send_back": "sent {object} back to its author",
    "run.approve": "completed the approval of {object}",
    "run.void_approval": "found an approval of {object} void",
    "run.start": "started {object}",
    "run.hold": "put {object} on hold",
    "run.hold_reason": "found another reason for the hold of {object}",
    "run.adjust": "adjusted {object}",
    "run.resume": "resumed {object}",
    "run.complete": "completed {object}",
    "run.seal": "sealed {object}",
    "run.ledger_gone": "took the ledger of {object} off its target",
    "run.cancel": "cancelled {object}",
    "run.roll_back": "began to roll {object} back",
    "run.finish_rollback": "finished the rollback of {object}",
    "phase.make_ready": "opened {object}",
    "phase.start": "started {object}",
    "phase.finish": "finished the steps of {object}",
    "phase.sign": "closed {object}",
    "phase.fail": "failed {object}",
    "phase.retry": "tried {object} again",
    "phase.pause": "asked {object} to pause",
    "phase.reach_pause": "paused {object}",
    "phase.resume": "resumed {object}",
    "phase.interrupt": "cancelled the running statement of {object}",
    "phase.take_over": "took over {object} from a lost worker",
    "phase.undo": "began to undo {object}",
    "phase.finish_undo": "undid {object}",
    "phase.fail_undo": "could not undo {object}",
    "sign_off.approve": "signed {object}",
    "sign_off.refuse": "refused to sign {object}",
    "sign_off.void": "made a signature void: {object}",
    "step.confirm": "confirmed {object}",
    "step.confirm_undo": "confirmed the way back of {object}",
    "readiness.tick": "ticked {object}",
    "lesson.write": "wrote down what was learned from {object}",
    "check.fail": "found a check failed: {object}",
    "readiness.untick": "took back the tick of {object}",
    "handover.note": "left a note for the next shift of {object}",
    "handover.give": "offered the watch of {object}",
    "handover.take": "took over the watch of {object}",
    "handover.withdraw": "withdrew the handover of {object}",
    "check.missed": "found a check missed: {object}",
    "window.start": "opened {object}",
    "window.end": "ended {object}",
    "verification.request": "asked for a verification of {object}",
    "verification.fail": "found differences in {object}",
    "verification.fail_again": "found differences in {object} again",
    "notify.sent": "told {object}",
    "notify.give_up": "gave up telling {object}",
    "notify.unknown": "may have told {object}",
    "notify.resend": "had this sent again: {object}",
    "notify.test": "sent a test message to {object}",
}
REASONS = ("comment", "reason", "error", "evidence", "lesson")


KEYED = {
    "step.confirm": "title",
    "step.confirm_undo": "title",
    "readiness.tick": "text",
    "readiness.untick": "text",
}
"""Actions on something that has a key in ``object`` and words in the detail: under which name."""

GATE = re.compile(r"^(?:(plan)|(start|phase):([1-9]))(?= of )")


def _said_gate(found: re.Match[str]) -> str:
    plan, kind, number = found.groups()
    if plan:
        return "the plan"
    return f"the start of phase {number}" if kind == "start" else f"phase {number}"


def _named(row: AuditEvent) -> str:
    """What it was done to, with the words of a step or an item in place of its key."""
    words = row.detail.get(KEYED.get(row.action, ""))
    return f"“{words}”, {row.object}" if words else row.object


def sentence(row: AuditEvent) -> str:
    """Who did what to which, in one line, with the reason, comment or evidence in quotes."""
    if row.action == "refused.step_up":
        done = "gave a password that is not right"
    elif row.action.startswith("refused."):
        done = f"was refused: {row.action.removeprefix('refused.').replace('_', ' ')} of {row.object}"
    else:
        words = SAID.get(row.action) or f"{row.action.replace('_', ' ').replace('.', ' ')} {{object}}"
        done = words.format(object=GATE.sub(_said_gate, _named(row)))
    said = next((str(row.detail[name]) for name in REASONS if row.detail.get(name)), "")
    return f"{row.actor} {done}" + (f": “{said}”" if said else "")
