"""The index: who reads what first, the timeline, readiness, success criteria with evidence, lessons
learned.
"""

from __future__ import annotations

from migration_runs.documents.blocks import Block, Cell, Document, Items, Paragraph, Section, Table, rows
from migration_runs.documents.subject import Subject, clock, lasts, moment, owner_of
from migration_runs.selectors import readiness
from migration_runs.selectors.phase_views import StepView

KEY = "index"
TITLE = "Index"
ABOUT = (
    "Where to begin, by role; the timeline; what is ready; what success means and what proves "
    "it; what was learned."
)

FIRST = (
    ("approver", "Decisions, then the plan page: risks, locks, what changed."),
    ("dba", "Runbook, phases 1 to 4 and 9, then the card."),
    ("engineer", "Runbook, phases 5 and 6; Before and after: the data flow."),
    ("devops", "Runbook, phase 7, then the card."),
    ("oncall", "The card, then Monitoring: what a failed check means and what it asks of you."),
    ("auditor", "Decisions, then Audit; this page's criteria with their evidence."),
    ("when something is wrong", "The run page: what failed, what was kept. Then Troubleshooting."),
)  # fmt: skip

GROUPS = {key: title for key, title, *_ in readiness.GROUPS}
OVER = frozenset({"completed", "sealed", "rolled_back", "cancelled"})


def build(subject: Subject) -> Document:
    """The index of the run's documents."""
    sections = (
        Section(
            "Who reads what first", (Items(tuple((f"{who}:", what) for who, what in FIRST)),), key="first"
        ),
        Section("Timeline", (_timeline(subject),), key="timeline"),
        Section("Readiness", (_readiness(subject),), key="readiness"),
        Section("Success criteria", (_criteria(subject),), key="criteria", note=_so_far(subject)),
        Section("Troubleshooting", (_troubleshooting(subject),), key="troubleshooting"),
        Section("Contacts", (_contacts(subject),), key="contacts"),
        Section("Lessons learned", (_lessons(subject),), key="lessons", note="never changed, only added to"),
    )
    return Document(KEY, f"{TITLE}: {subject.run.name}", ABOUT, sections, subject.header)


def _timeline(subject: Subject) -> Table:
    return Table(
        ("Slot, UTC", "Phase", "Owner", "Planned", "State"),
        rows(*(
            (
                clock(phase.planned_start), f"{phase.number} {phase.title}", owner_of(phase),
                lasts(phase.planned), Cell(state=phase.state),
            )
            for phase in subject.run.phases
        )),
        numbers=frozenset({3}),
    )  # fmt: skip


def _readiness(subject: Subject) -> Table:
    return Table(
        ("Group", "Item", "Whose", "State"),
        rows(*(
            (
                GROUPS[item.group], item.text, "the panel" if item.automatic else str(item.role),
                Cell(state="ticked" if item.ticked else "open", note=f"{item.by} {moment(item.at)}".strip()),
            )
            for item in subject.run.readiness
        )),
        empty="The runbook has no readiness checklist.",
    )  # fmt: skip


def evaluated(subject: Subject) -> tuple[tuple[str, str, str], ...]:
    """Each success criterion: its text, its state (``given``, ``refused`` or ``to_come``), its evidence."""
    steps = {f"{phase.number}.{step.key}": step for phase in subject.run.phases for step in phase.steps}
    return tuple(
        (one.text, *_proof(subject, one.evidence, steps)) for one in subject.plan.runbook.texts.criteria
    )


def _proof(subject: Subject, evidence: str, steps: dict[str, StepView]) -> tuple[str, str]:
    step = steps.get(evidence)
    if step is not None:
        if step.state in {"done", "skipped"}:
            said = step.summary or step.evidence or step.title
            return "proven", f"step {step.place}: {said} ({moment(step.finished_at)})"
        if step.state in {"failed", "undone", "undo_failed"}:
            return "unproven", f"step {step.place}: {step.error or step.state.replace('_', ' ')}"
        return "to_come", f"step {step.place}: {step.title}"
    window = subject.run.window
    found = [
        check
        for round_view in (window.rounds if window else ())
        for check in round_view.checks
        if check.key == evidence and check.finished_at
    ]
    if not found:
        return "to_come", f"check {evidence}"
    last = found[-1]
    state = "unproven" if last.verdict in {"fail", "missed"} else "proven"
    return state, f"check {last.title}: {last.verdict}, {last.detail} ({moment(last.finished_at)})"


def _criteria(subject: Subject) -> Table:
    return Table(
        ("Success means", "State", "Evidence"),
        rows(*((text, Cell(state=state), said) for text, state, said in evaluated(subject))),
        empty="The plan names no success criterion.",
    )


def _so_far(subject: Subject) -> str:
    found = evaluated(subject)
    proven = sum(state == "proven" for _, state, _ in found)
    when = "at the end" if subject.run.state in OVER else "so far"
    return f"{proven} of {len(found)} proven {when}" if found else ""


def _troubleshooting(subject: Subject) -> Table:
    runbook = subject.plan.runbook
    lines = [(one.symptom, one.cause, one.remedy) for one in runbook.texts.troubleshooting]
    lines += [
        (f"{one.title}: does not pass", one.why, one.what_to_do) for one in runbook.checks if one.what_to_do
    ]
    lines += [(f"{one.title}: is broken", one.why, one.what_to_do) for one in runbook.rules if one.what_to_do]
    return Table(
        ("What you see", "Why it may be", "What to do"), rows(*lines), empty="The plan names nothing."
    )


def _contacts(subject: Subject) -> Block:
    contacts = subject.plan.runbook.texts.contacts
    return Table(
        ("Issue", "Who", "Look at"),
        rows(*((one.issue, one.who, one.look) for one in contacts)),
        empty="The plan names no contact.",
    )


def _lessons(subject: Subject) -> Block:
    if not subject.lessons:
        return Paragraph("None was written down yet.")
    return Items(tuple((f"{one.by}, {moment(one.at)}:", one.text) for one in subject.lessons))
