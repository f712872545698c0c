"""The runbook: phases in order with their exact SQL, durations, owners, success criteria and way back."""

from __future__ import annotations

from collections.abc import Iterator

from migration_runs.documents.blocks import Block, Code, Document, Facts, Items, Paragraph, Section
from migration_runs.documents.subject import Subject, clock, lasts, owner_of
from migration_runs.runbook import sqlfile
from migration_runs.selectors.check_rules import rule_of
from migration_runs.selectors.phase_views import PhaseView, StepView

KEY = "runbook"
TITLE = "Runbook"
ABOUT = (
    "The nine phases in order: every step with what it does and why, its locks, its exact SQL, "
    "and how it is undone."
)


def build(subject: Subject) -> Document:
    """The runbook of the run."""
    plan = subject.plan.runbook
    sections = [Section("What this is", (Paragraph(plan.summary.strip()), _move(subject)), key="what")]
    for phase in subject.run.phases:
        declared = plan.phase(phase.number)
        sections.append(
            Section(
                f"{phase.number} {phase.title}",
                tuple(_of_phase(phase, declared.summary)),
                key=f"phase-{phase.number}",
                note=f"{owner_of(phase)}, planned {lasts(phase.planned)} from "
                f"{clock(phase.planned_start)} UTC; "
                f"signed by {', '.join(declared.sign_off)}",
            )
        )
        sections += [
            Section(f"{step.place} {step.title}", tuple(_of_step(step)), key=f"step-{step.place}", level=3)
            for step in phase.steps
        ]
    sections.append(Section("Checks by hand", tuple(_by_hand(subject)), key="by-hand", note="read only"))
    return Document(KEY, f"{TITLE}: {subject.run.name}", ABOUT, tuple(sections), subject.header)


def _move(subject: Subject) -> Facts:
    move = subject.plan.runbook.move
    scope = ", ".join(f"{column} = {value}" for column, value in move.scope.items())
    return Facts((
        ("Moves", f"rows of {move.source} to {move.target}"),
        ("Which rows", scope or "all"),
        ("Key", ", ".join(move.key)),
        ("Neither copied nor compared", ", ".join(move.left_out) or "nothing"),
        ("A row that is there already and different", move.on_different),
    ))  # fmt: skip


def _by_hand(subject: Subject) -> Iterator[Block]:
    """The SQL of each check, for whoever looks while the panel is down."""
    yield Paragraph("What the panel asks the target, each check with the rule that judges the answer.")
    for check in subject.plan.runbook.checks:
        rule = rule_of(check, clock_speed=subject.plan.clock_speed)
        yield Paragraph(rule, strong=f"{check.title}:")
        for file in (check.sql, check.closed_sql):
            if file is not None:
                yield Code(file.path, sqlfile.without_header(file.text))


def _of_phase(phase: PhaseView, summary: str) -> Iterator[Block]:
    yield Paragraph(summary)
    if phase.success:
        yield Paragraph("", strong="Success means:")
        yield Items(tuple(("", line) for line in phase.success))


def _of_step(step: StepView) -> Iterator[Block]:
    asks = f"{step.confirm_text} ({step.confirm_role})" if step.confirm_text else ""
    pairs = (
        ("Kind", step.kind), ("What", step.what), ("Why", step.why), ("Locks", step.locks),
        ("Timeouts", step.timeout), ("Undo", step.undo), ("Asks a person", asks),
        ("Takes", f"about {lasts(step.estimate)}"),
    )  # fmt: skip
    yield Facts(tuple((name, value) for name, value in pairs if value))
    for file in step.sql:
        yield Code(f"{file.path} ({file.what_for})", file.text)
