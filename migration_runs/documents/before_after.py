"""Before and after: what the plan does otherwise than its predecessor, where data flows, planned and
actual.
"""

from __future__ import annotations

from migration_runs.documents.blocks import Block, Code, Document, Paragraph, Section, Table, rows
from migration_runs.documents.subject import Subject, clock, lasts, moment, short

KEY = "before-after"
TITLE = "Before and after"
ABOUT = (
    "What this plan does otherwise than the one before it, how data flows before and after, "
    "and planned against actual times."
)


def build(subject: Subject) -> Document:
    """Before and after of the run."""
    texts = subject.plan.runbook.texts
    sections = [
        Section("Plan and predecessor", (_comparisons(subject),), key="comparisons"),
        Section("Data flow before", (_flow(texts.flow_before),), key="flow-before"),
        Section("Data flow after", (_flow(texts.flow_after),), key="flow-after"),
        Section(
            "Changes of the plan", (_changes(subject),), key="plans", note="every plan that this run has had"
        ),
        Section(
            "Planned and actual",
            (_times(subject),),
            key="times",
            note=_pace(subject),
        ),
    ]
    return Document(KEY, f"{TITLE}: {subject.run.name}", ABOUT, tuple(sections), subject.header)


def _pace(subject: Subject) -> str:
    speed = subject.plan.clock_speed
    note = "slots are the day's timeline, with hand-over"
    return f"{note}; the market's clock goes {speed:,.0f} times real time" if speed > 1 else note


def _comparisons(subject: Subject) -> Table:
    found = subject.plan.runbook.texts.comparisons
    return Table(
        ("Metric", "Original", "Final"),
        rows(*((one.metric, one.original, one.final) for one in found)),
        empty="The plan names no predecessor.",
    )


def _flow(text: str) -> Block:
    return (
        Code("", text.strip("\n"), language="text")
        if text.strip()
        else Paragraph("The plan does not draw it.")
    )


def _changes(subject: Subject) -> Table:
    return Table(
        ("Plan", "Since", "By", "What"),
        rows(*((short(one.digest), moment(one.at), one.by, one.what) for one in subject.plan_changes)),
        empty="The plan is as it was first written.",
    )


def _times(subject: Subject) -> Table:
    lines = []
    for phase in subject.run.phases:
        slot = f"{clock(phase.planned_start)} to {clock(phase.slot_end)}"
        actual = lasts(phase.actual) if phase.actual else phase.state.replace("_", " ")
        started = clock(phase.started_at) or "not yet"
        lines.append((f"{phase.number} {phase.title}", slot, started, lasts(phase.planned), actual))
    return Table(
        ("Phase", "Slot, UTC", "Started, UTC", "Planned", "Actual"), rows(*lines), numbers=frozenset({3, 4})
    )
