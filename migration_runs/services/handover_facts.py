"""What the panel itself can say to whoever takes over the watch: state, window, what happened, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from migration_runs.models import DueCheck
from migration_runs.phases import Role
from migration_runs.services import gates, readiness, verification
from migration_runs.services.situation import Situation
from migration_runs.services.window import WHOLE, WindowRule
from migration_runs.states import RunState

SHOWN_CHECKS = 6


@dataclass(frozen=True)
class Fact:
    """A line of the card: its label, and what is so, in sentences."""

    label: str
    lines: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the card's row and the audit event."""
        return {"label": self.label, "lines": list(self.lines)}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Fact:
        """A fact that was stored."""
        return cls(str(body["label"]), tuple(str(line) for line in body["lines"]))


def facts_of(at: Situation) -> tuple[Fact, ...]:
    """The card's facts as they are now. Reads the windows, their checks, reports and who is named."""
    return (
        Fact("State", tuple(_state(at))),
        Fact("Window", tuple(_window(at))),
        Fact("Happened", tuple(_happened(at)) or ("Nothing failed, was missed or warned.",)),
        Fact("Watch", tuple(_watch(at)) or ("Nothing in particular.",)),
        Fact("If a check fails", tuple(_if_a_check_fails(at))),
        Fact("Wake", tuple(_wake(at))),
    )


def _state(at: Situation) -> Iterator[str]:
    run, phase = at.run, at.current
    where = f", phase {phase.number} {phase.phase.title} is {gates.words(phase.state)}" if phase else ""
    yield f"{run.name} is {gates.words(run.state)}{where}."
    if run.state == RunState.ON_HOLD:
        since = f" since {_moment(run.held_at)}" if run.held_at else ""
        yield f"On hold{since}: {run.hold_reason}."


def _window(at: Situation) -> Iterator[str]:
    window, rule = at.window, WindowRule.of(at.plan)
    if window is None:
        yield "No window yet: phase 8 opens it."
        return
    until = window.ended_at
    counted = (row for row in at.due_checks if until is None or row.due_at <= until)
    over = {row.round for row in counted if row.state in {"done", "missed"}}
    ends = window.started_at + rule.length
    said = f"Window {window.number}: {len(over)} of {rule.rounds} rounds have results"
    if window.ended_at is None:
        yield f"{said}; it began {_moment(window.started_at)} and is whole {_moment(ends)} at the earliest."
    elif window.end_reason == WHOLE:
        yield f"{said}; it is whole since {_moment(window.ended_at)}."
    else:
        yield f"{said}; it ended {_moment(window.ended_at)}: {window.end_reason}."


def _happened(at: Situation) -> Iterator[str]:
    newest = at.window
    for window in at.run.windows.order_by("number"):
        if window.ended_at and window.end_reason != WHOLE and (newest is None or window.pk != newest.pk):
            yield f"Window {window.number} ended {_moment(window.ended_at)}: {window.end_reason}."
    troubled = [row for row in at.due_checks if row.state == "missed" or row.verdict in {"warn", "fail"}]
    for row in troubled[-SHOWN_CHECKS:]:
        verdict = "was missed" if row.state == "missed" else {"warn": "warned", "fail": "failed"}[row.verdict]
        yield f"{_title(at, row)} {verdict} at {_moment(row.due_at)}{_detail(row)}."
    if len(troubled) > SHOWN_CHECKS:
        yield f"{len(troubled) - SHOWN_CHECKS} more before them: see the tab Monitoring."


def _watch(at: Situation) -> Iterator[str]:
    coming = min((r for r in at.due_checks if r.state in {"pending", "running"}), key=_due, default=None)
    if coming is not None:
        due, late = _moment(coming.due_at), _moment(coming.late_after)
        yield f"The next checks are due {due}, and missed after {late}."
    newest = max((row for row in at.due_checks if row.finished_at), key=_due, default=None)
    if newest is not None and newest.market_open is False:
        yield "The market is closed: freshness reads closed, lag and counts go on."
    if newest is not None and newest.verdict == "warn":
        yield f"{_title(at, newest)} warned last and has not cleared."
    unclean = readiness.unclean_report(at)
    if unclean is not None:
        yield f"The last comparison found {verification.fault_of(unclean)}."
    lacking = at.plan.runbook.window.min_open_checks - len({r.round for r in at.due_checks if r.market_open})
    if at.window is not None and at.window.ended_at is None and lacking > 0:
        yield f"{lacking} more rounds have to fall into open hours of the market."


def _if_a_check_fails(at: Situation) -> Iterator[str]:
    hours = at.plan.runbook.window.hours
    yield "The run holds itself, and checks go on. Read the check and its advice on the tab Monitoring."
    yield f"When the cause is gone, an approver, dba or oncall resumes: a fresh window of {hours:g} h starts."
    yield "Or roll back: nothing that was written since is lost. Holding is always the safe side."


def _wake(at: Situation) -> Iterator[str]:
    named = {row.role: row.person.get_username() for row in at.run.assignments.select_related("person")}
    reasons = ((Role.DBA, "data and the database"), (Role.APPROVER, "a decision"), (Role.ONCALL, "the watch"))
    for role, reason in reasons:
        if role.value in named:
            yield f"{named[role.value]} ({role.value}) for {reason}."
    for contact in at.plan.runbook.texts.contacts:
        yield f"{contact.issue}: {contact.who}; look at {contact.look}."


def _title(at: Situation, row: DueCheck) -> str:
    return next((c.title for c in at.plan.runbook.checks if c.key == row.check_key), row.check_key)


def _detail(row: DueCheck) -> str:
    return f": {row.detail}" if row.detail else ""


def _due(row: DueCheck) -> datetime:
    return row.due_at


def _moment(at: datetime) -> str:
    return f"{at:%a %H:%M:%S} UTC"
