"""What a runbook says to people: decisions, risks, contacts, the readiness checklist."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from migration_runs.phases import Role
from migration_runs.runbook.base import Frozen, SqlFile


class Decision(Frozen):
    """A locked decision with its why."""

    title: str
    decision: str
    why: str


class Feedback(Frozen):
    """Review feedback and how the plan answers it."""

    asked: str
    answer: str


class Risk(Frozen):
    """A risk, its mitigation and the phase in which that acts."""

    risk: str
    mitigation: str
    phase: int = Field(ge=1, le=9)


class Question(Frozen):
    """A frequent question and its answer."""

    question: str
    answer: str


class Trouble(Frozen):
    """Something that people may see during the run, why it may be, and what to do."""

    symptom: str
    cause: str
    remedy: str


class CriticalQuery(Frozen):
    """A query for the quick-reference card, to be run by hand: it has no parameters and only reads."""

    title: str
    sql: SqlFile


class Contact(Frozen):
    """Issue → who → where to look."""

    issue: str
    who: str
    look: str


class Criterion(Frozen):
    """A success criterion, evaluated at the end. ``evidence`` names a step or check whose outcome
    proves it.
    """

    text: str
    evidence: str


class ReadinessItem(Frozen):
    """A line of the readiness checklist. ``automatic`` names a fact that the panel knows; else a person in
    ``role`` ticks it.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    group: Literal["approvers", "day_before", "day_of", "after"]
    text: str
    role: Role
    automatic: (
        Literal["approved", "backup_done", "counts_match", "monitored", "rolled_up", "verified"] | None
    ) = None


class Comparison(Frozen):
    """A row of before / after: metric, the predecessor's value, this plan's."""

    metric: str
    original: str
    final: str


class Texts(Frozen):
    """Everything in the runbook that people read and machines do not execute."""

    gotchas: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    risks: tuple[Risk, ...] = ()
    faq: tuple[Question, ...] = ()
    troubleshooting: tuple[Trouble, ...] = ()
    contacts: tuple[Contact, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    flow_before: str = ""
    flow_after: str = ""
