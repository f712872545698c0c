"""Decisions: each locked decision with its why, the review feedback that the plan answers, risks,
questions.
"""

from __future__ import annotations

from migration_runs.documents.blocks import Block, Document, Items, Paragraph, Section, Table, rows
from migration_runs.documents.subject import Subject

KEY = "decisions"
TITLE = "Decisions"
ABOUT = (
    "What was decided and why, what reviewers asked and how the plan answers it, which risks "
    "are left and what meets them."
)


def build(subject: Subject) -> Document:
    """The decisions of the plan."""
    texts = subject.plan.runbook.texts
    decided: list[Block] = [
        Items(tuple((f"{one.title}:", f"{one.decision} {one.why}") for one in texts.decisions))
        if texts.decisions
        else Paragraph("The plan names no decision.")
    ]
    sections = [
        Section("Locked decisions", tuple(decided), key="decisions", note="signed with the plan's digest"),
        Section("On rollback", (_on_rollback(subject),), key="data-decision"),
        Section("Review feedback and its answer", (_feedback(subject),), key="feedback"),
        Section("Risks", (_risks(subject),), key="risks"),
        Section("Questions that people ask", (_faq(subject),), key="faq"),
    ]
    return Document(KEY, f"{TITLE}: {subject.run.name}", ABOUT, tuple(sections), subject.header)


def _on_rollback(subject: Subject) -> Paragraph:
    target = subject.run.target_table
    if subject.plan.data_decision == "delete":
        return Paragraph(
            f"are deleted from {target}, and only those that are proven present and equal in "
            f"{subject.run.source_table}. Rows that were there before stay.",
            strong="Copied rows",
        )
    return Paragraph(
        f"stay in {target}. Readers that would see both tables are not restored: the "
        "duplicate-safe one stays.",
        strong="Copied rows",
    )


def _feedback(subject: Subject) -> Block:
    feedback = subject.plan.runbook.texts.feedback
    return Table(
        ("Asked", "Answered"),
        rows(*((one.asked, one.answer) for one in feedback)),
        empty="None was recorded.",
    )


def _risks(subject: Subject) -> Block:
    risks = subject.plan.runbook.texts.risks
    return Table(
        ("Risk", "Met by", "Phase"),
        rows(*((one.risk, one.mitigation, str(one.phase)) for one in risks)),
        numbers=frozenset({2}),
        empty="The plan names no risk.",
    )


def _faq(subject: Subject) -> Block:
    faq = subject.plan.runbook.texts.faq
    if not faq:
        return Paragraph("None was recorded.")
    return Items(tuple((one.question, one.answer) for one in faq))
