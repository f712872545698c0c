"""What went wrong lately, from the audit trail: what happened, what was kept, and where it stands now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from migration_runs.models import AuditEvent, PhaseRun, Run
from migration_runs.models.audit_event import WRONG
from migration_runs.selectors.sentences import sentence
from migration_runs.selectors.start_views import WrongView
from migration_runs.services import gates

LATELY = timedelta(days=7)
SHOWN = 8
LOOKED_AT = 40
"""Events that are read, since a hold says again what the event before it said."""
ROUTINE = ("the phase is tried again", "the author withdrew", "sent back by", "refused by")
"""How reasons begin for which signatures become void in the ordinary course of things."""

Says = Callable[[AuditEvent], tuple[str, str, str]]


def went_wrong(now: datetime) -> tuple[WrongView, ...]:
    """The newest of what went wrong in the last seven days. Three queries."""
    rows = AuditEvent.objects.filter(action__in=WRONG, at__gte=now - LATELY, run__isnull=False)
    events = _each_once(list(rows.order_by("-seq")[:LOOKED_AT]))[:SHOWN]
    runs = {run.pk: run for run in Run.objects.filter(pk__in={event.run_id for event in events})}
    phases = {(p.run_id, p.number): p for p in PhaseRun.objects.filter(run__in=runs.values())}
    return tuple(
        _view(event, runs[event.run_id], phases.get((event.run_id, event.detail.get("phase", 0))))
        for event in events
        if event.run_id is not None
    )


def _each_once(events: list[AuditEvent]) -> list[AuditEvent]:
    """Without signatures void as a matter of course, and holds for a reason that an event before it told."""
    told = [(e.run_id, e.detail.get("reason")) for e in events if e.action != "run.hold"]

    def is_new(event: AuditEvent) -> bool:
        reason = str(event.detail.get("reason", ""))
        if event.action == "sign_off.void":
            return not reason.startswith(ROUTINE)
        return event.action != "run.hold" or not any(
            run_id == event.run_id and cause and str(cause) in reason for run_id, cause in told
        )

    return [event for event in events if is_new(event)]


def _view(event: AuditEvent, run: Run, phase: PhaseRun | None) -> WrongView:
    state, what, text = SAYS[event.action](event)
    return WrongView(
        state=state,
        run_id=run.pk,
        headline=f"{run.name} on {run.target}: {what}",
        at=event.at,
        text=text,
        now=_now(run, phase),
        seq=event.seq,
    )


def _now(run: Run, phase: PhaseRun | None) -> str:
    about = f"phase {phase.number} is {gates.words(phase.state)}, " if phase is not None else ""
    held = f" ({run.hold_reason})" if run.hold_reason else ""
    return f"Now {about}the run is {gates.words(run.state)}{held}."


def _told(event: AuditEvent, *names: str) -> str:
    return next((str(event.detail[name]) for name in names if event.detail.get(name)), "")


def _failed(event: AuditEvent) -> tuple[str, str, str]:
    why = _told(event, "error", "comment")
    kept = _told(event, "kept")
    text = sentence(why) + (f" Kept: {sentence(kept)}" if kept else " Kept: every step that was done.")
    return "failed", f"phase {event.detail.get('phase')} failed", text


def _undo_failed(event: AuditEvent) -> tuple[str, str, str]:
    what = f"the undo of phase {event.detail.get('phase')} stopped"
    return "undo_failed", what, f"{sentence(_told(event, 'error'))} Kept: what was undone stays undone."


def _check_failed(event: AuditEvent) -> tuple[str, str, str]:
    checks = ", ".join(map(str, event.detail.get("checks", [])))
    text = f"{sentence(_told(event, 'reason'))} The window ended; checks went on."
    return "fail", f"check failed: {checks}", text


def _check_missed(event: AuditEvent) -> tuple[str, str, str]:
    _, _, text = _check_failed(event)
    return "missed", f"check missed: {', '.join(map(str, event.detail.get('checks', [])))}", text


def _differs(event: AuditEvent) -> tuple[str, str, str]:
    return "verify_differs", "source and target not equal", sentence(_told(event, "reason"))


def _held(event: AuditEvent) -> tuple[str, str, str]:
    text = f"{sentence(_told(event, 'reason'))} By {event.actor}. What was done stayed done."
    return "on_hold", "put on hold", text


def _void(event: AuditEvent) -> tuple[str, str, str]:
    who = f"{event.detail.get('person')} ({event.detail.get('role')})"
    return "void", f"the signature of {who} became void", sentence(_told(event, "reason"))


def _refused(event: AuditEvent) -> tuple[str, str, str]:
    gate = str(event.detail.get("gate", ""))
    what = "the plan" if gate == gates.PLAN else gate.replace(":", " ")
    return "refused", f"{event.actor} refused to sign {what}", sentence(_told(event, "comment"))


def _rolled_back(event: AuditEvent) -> tuple[str, str, str]:
    decision = event.detail.get("data_decision")
    rows = "copied rows are kept" if decision == "keep" else "copied rows are deleted where proven equal"
    reason = sentence(_told(event, "reason"))
    return "rolled_back", f"rolled back by {event.actor}", f"{reason} Nothing is lost; {rows}.".strip()


SAYS: dict[str, Says] = {
    "phase.fail": _failed,
    "phase.fail_undo": _undo_failed,
    "check.fail": _check_failed,
    "check.missed": _check_missed,
    "verification.fail": _differs,
    "run.hold": _held,
    "sign_off.void": _void,
    "sign_off.refuse": _refused,
    "run.roll_back": _rolled_back,
}
