"""The quick-reference card: one page for the wall. What is on it must fit on A4."""

from __future__ import annotations

from migration_runs.documents.blocks import (
    Block,
    Cell,
    Code,
    Document,
    Items,
    Paragraph,
    Section,
    Table,
    rows,
)
from migration_runs.documents.subject import Subject, bound, clock, lasts, moment
from migration_runs.engine.bounds import floored
from migration_runs.phases import by_number
from migration_runs.runbook import sqlfile
from migration_runs.runbook.monitoring import Check, Window
from migration_runs.runbook.steps import ConfirmStep, ObserveStep
from migration_runs.selectors.phase_views import PhaseView

KEY = "card"
TITLE = "Quick-reference card"
ABOUT = (
    "One page for the wall and for the night: phases, rollback, whom to call, the hourly check "
    "by hand, queries, gotchas."
)
MUST_NOT = (
    "Delete from the source before the window is whole · skip phase 2 · run a test suite in the run · deploy "
    "without phase 5 · clean up early. The panel refuses each."
)


def build(subject: Subject) -> Document:
    """The card of the run."""
    sections = (
        Section("Phases", (_phases(subject),), key="phases", wide=True),
        Section("Emergency rollback", tuple(_rollback(subject)), key="rollback"),
        Section("Named in this run", (_named(subject),), key="named"),
        Section("Who", (_contacts(subject),), key="who"),
        Section(f"Hourly check{_from(subject)}", tuple(_checks(subject)), key="checks", wide=True),
        Section("Critical queries", tuple(_queries(subject)), key="queries"),
        Section("Gotchas", tuple(_gotchas(subject)), key="gotchas"),
    )
    return Document(KEY, f"{TITLE}: {subject.run.name}", ABOUT, sections, subject.header)


def _phases(subject: Subject) -> Table:
    return Table(
        ("Done", "Phase", "Owner", "Slot", "Planned", "Does", "Way back"),
        rows(*(_phase(subject, phase) for phase in subject.run.phases)),
        numbers=frozenset({3, 4}),
    )


def _phase(subject: Subject, phase: PhaseView) -> tuple[str | Cell, ...]:
    starts = by_number(phase.number).start_sign_off
    named = {str(role): person for role, person in subject.run.assignments.items()}
    second = [f"{role} {named.get(str(role), '')}".strip() for role in starts]
    owners = " + ".join([f"{phase.owner_role} {phase.owner}".strip(), *second])
    return (
        Cell(boxes=1),
        f"{phase.number} {phase.title}",
        owners,
        clock(phase.planned_start),
        lasts(phase.planned),
        phase.purpose,
        way_back(subject, phase.number),
    )


def way_back(subject: Subject, number: int) -> str:
    """How a phase is undone, in a few words, from the kinds of its steps."""
    steps = subject.plan.runbook.phase(number).steps
    words: list[str] = []
    for step in steps:
        if step.undo is not None:
            words.append("undo file")
        elif getattr(step, "before_image", None):
            words.append("before-image")
        elif step.kind == "copy":
            words.append(f"{subject.plan.data_decision} copies")
        elif step.kind == "dual_write":
            words.append("triggers off")
        elif step.kind in {"soft_delete", "delete"}:
            words.append(f"rows come back, {subject.plan.runbook.retention_days:g} days")
        elif isinstance(step, ConfirmStep) and step.undo_text:
            words.append("a person confirms")
        elif isinstance(step, ObserveStep):
            words.append("old callers seen again")
    return ", ".join(dict.fromkeys(words)) or "nothing changed"


def _rollback(subject: Subject) -> tuple[Block, ...]:
    name = subject.run.name
    asked = [
        step.undo_text
        for phase in subject.plan.runbook.phases
        for step in phase.steps
        if isinstance(step, ConfirmStep) and step.undo_text
    ]
    lines = [
        ("Hold run", "on the run page. Checks go on; nothing else starts."),
        ("Preview rollback:", "read steps, rows, seconds and locks. Nothing has happened yet."),
        ("Roll back:", f"type {name} and your password. approver, dba and oncall may."),
        *(("When the page asks:", text) for text in dict.fromkeys(asked)),
        (
            "Read the proof:",
            "every step undone, the old table whole, verification equal, no trigger of ours left.",
        ),
    ]
    return (
        Items(tuple(lines), ordered=True),
        Paragraph(
            f"manage.py run rollback {subject.run.id} at a terminal. It asks for the same name and password.",
            strong="Panel down?",
        ),
    )


def _contacts(subject: Subject) -> Table:
    issues = [(one.issue, one.who, one.look) for one in subject.plan.runbook.texts.contacts]
    return Table(("Issue", "Who", "Look at"), rows(*issues), empty="The plan names no contact.")


def _named(subject: Subject) -> Paragraph:
    """The run's people in one piece: the card has no room for a line each."""
    emails = dict(subject.emails)
    named = (
        f"{role}: {', '.join(filter(None, (person, emails.get(person))))}"
        for role, person in subject.run.assignments.items()
    )
    return Paragraph(f"{' · '.join(named)}.")


def _from(subject: Subject) -> str:
    start = subject.run.phases[7].planned_start
    return f", from {clock(start)} UTC" if start else ""


def _checks(subject: Subject) -> tuple[Block, ...]:
    runbook = subject.plan.runbook
    hours = int(runbook.window.hours * 60 / runbook.window.interval_minutes)
    speed = subject.plan.clock_speed
    lines = [_check(check, hours, speed) for check in runbook.checks if check.in_window]
    closed = _sessions(runbook.window)
    return (
        Table(
            ("Check", "pass", "warn", "fail", f"1 to {hours}, by hand while the panel is down"), rows(*lines)
        ),
        Paragraph("Their queries: Runbook, section Checks by hand.", strong="By hand:"),
        Paragraph(
            "A check without a result in time counts as missed, and missed as failed. A failed check holds "
            f"the run; resuming starts a fresh window of {runbook.window.hours:g} h. {closed}".strip()
        ),
    )


def _check(check: Check, hours: int, speed: float) -> tuple[str | Cell, ...]:
    if check.builtin == "verification":
        return (check.title, "0 different", "", "any", Cell(boxes=hours))
    given = (check.passes, check.warns)
    passes, warns = (bound(one and floored(one, check, speed), unit=check.unit) for one in given)
    warns = "" if warns == passes else warns  # nothing lies between them on a fast clock
    otherwise = "else"
    return (
        check.title,
        passes,
        warns or (otherwise if check.otherwise == "warn" else ""),
        otherwise if check.otherwise == "fail" else "",
        Cell(boxes=hours),
    )


def _sessions(window: Window) -> str:
    if not window.sessions:
        return ""
    spans = "; ".join(f"{one.opens} to {one.closes} UTC" for one in window.sessions)
    return f"Open {spans}: outside, freshness reads closed."


def _queries(subject: Subject) -> tuple[Block, ...]:
    queries = subject.plan.runbook.queries
    if not queries:
        return (Paragraph("The runbook names none."),)
    return tuple(Code(query.title, sqlfile.without_header(query.sql.text)) for query in queries)


def _gotchas(subject: Subject) -> tuple[Block, ...]:
    return (
        Items(tuple(("", line) for line in subject.plan.runbook.texts.gotchas)),
        Paragraph(MUST_NOT, strong="Must not:"),
        Paragraph(f"Run written {moment(subject.run.created_at)}; every time is UTC."),
    )
