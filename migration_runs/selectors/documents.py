"""What a run's documents are made from, read with a constant number of queries."""

from __future__ import annotations

import itertools

from django.contrib.auth.models import User

from migration_runs.documents import before_after, card, decisions, index, runbook
from migration_runs.documents.blocks import Document
from migration_runs.documents.subject import Lesson, PlanChange, Subject
from migration_runs.exceptions import Refused
from migration_runs.models import Assignment, AuditEvent, Run
from migration_runs.models import Lesson as LessonRow
from migration_runs.runbook import difference
from migration_runs.selectors.run_views import RunView
from migration_runs.services import lessons, people
from migration_runs.services.plan_store import plan_of
from migration_runs.services.situation import Situation

DOCUMENTS = {one.KEY: one for one in (index, runbook, decisions, card, before_after)}
"""The five documents by the names that they have in addresses, in the order in which they are offered."""

FROZEN = ("run.create", "run.revise")
"""Actions that gave a run its plan."""


def titles() -> tuple[tuple[str, str, str], ...]:
    """Key, title and one sentence about each document."""
    return tuple((key, one.TITLE, one.ABOUT) for key, one in DOCUMENTS.items())


def document_of(run: RunView, key: str) -> Document:
    """The document ``key`` of the run. Raises KeyError for any other name."""
    document: Document = DOCUMENTS[key].build(subject_of(run))
    return document


def subject_of(run: RunView) -> Subject:
    """The run's page, its plan, and what is kept beside both."""
    return Subject(
        run=run,
        plan=plan_of(run.digest),
        lessons=lessons_of(run.id),
        plan_changes=plan_changes(run.id),
        emails=tuple(
            (row.person.username, row.person.email)
            for row in Assignment.objects.filter(run_id=run.id).select_related("person")
        ),
    )


def lessons_of(run_id: int) -> tuple[Lesson, ...]:
    """What was learned, oldest first."""
    rows = LessonRow.objects.filter(run_id=run_id).select_related("person").order_by("id")
    return tuple(Lesson(row.person.username, row.at, row.text) for row in rows)


def plans_of(run_id: int) -> tuple[tuple[str, AuditEvent], ...]:
    """Digests of every plan that the run has had, oldest first, each with the event that gave it."""
    events = AuditEvent.objects.filter(run_id=run_id, action__in=FROZEN).order_by("seq")
    return tuple((str(event.detail["plan"]), event) for event in events)


def plan_changes(run_id: int) -> tuple[PlanChange, ...]:
    """Every plan that the run has had, with what differed from the one before. Plans are parsed once a
    process.
    """
    had = plans_of(run_id)
    changes = [_change(*had[0], "first written")] if had else []
    for (before, _), (digest, event) in itertools.pairwise(had):
        parts = difference.between(plan_of(before), plan_of(digest))
        changes.append(_change(digest, event, f"changed: {difference.in_words(parts)}"))
    return tuple(changes)


def _change(digest: str, event: AuditEvent, what: str) -> PlanChange:
    return PlanChange(digest=digest, at=event.at, by=event.actor, what=what)


def may_write_lessons(run_id: int, person: User) -> bool:
    """Whether the person may add a lesson to the run."""
    try:
        lessons.may_write(Situation(Run.objects.get(pk=run_id)), people.actor_of(person, how=""))
    except Refused:
        return False
    return True
