"""Reading a plan before it is signed: its risks, the target as it is now, what differs from the last plan."""

from __future__ import annotations

import re

import psycopg
from django.utils import timezone

from migration_runs import work
from migration_runs.documents.card import way_back
from migration_runs.documents.subject import Subject
from migration_runs.engine import runner
from migration_runs.exceptions import EngineError, Refused
from migration_runs.models import Run
from migration_runs.runbook import difference
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.documents import plans_of
from migration_runs.selectors.review_views import Before, NoUndo, PhaseFacts, ReviewView, TargetNow
from migration_runs.selectors.run_views import RunView
from migration_runs.services import evidence
from migration_runs.services.plan_store import plan_of

LOCKS = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip
"""Table locks from the weakest to the strongest (PostgreSQL's documentation, "Explicit Locking")."""

_NAMED = re.compile(r"\b(" + "|".join(sorted(LOCKS, key=len, reverse=True)) + r")\b")
NOT_STARTED = frozenset({"draft", "awaiting_approval", "approved"})
"""Afterwards the run's own steps change what the target looks like."""

READS_ONLY = frozenset({
    "assert", "backup", "rehearse_sql", "snapshot", "verify", "check", "monitor", "observe", "confirm",
})  # fmt: skip
"""Kinds of step that change nothing in the target by themselves: having no undo is no risk of theirs."""


def review_of(run: RunView) -> ReviewView:
    """The run's plan as a signer has to see it. Asks the target until the run has started,
    and says so where it cannot be asked.
    """
    plan = plan_of(run.digest)
    subject = Subject(run=run, plan=plan)
    return ReviewView(
        target=_target(run, plan) if run.state in NOT_STARTED else None,
        phases=tuple(_facts(subject, number) for number in range(1, 10)),
        no_undo=tuple(_no_undo(run, plan)),
        before=_before(run, plan),
    )


def _target(run: RunView, plan: Plan) -> TargetNow:
    asked_at = timezone.now()
    try:
        found = evidence.collect(Run.objects.get(pk=run.id), plan)
        previews = runner.previews(plan, work.target_url(run.target))
    except (Refused, EngineError, psycopg.Error) as error:
        return TargetNow(asked_at=asked_at, problem=str(error))
    rows = [preview.rows for preview in previews if preview.rows is not None]
    return TargetNow(
        asked_at=asked_at,
        identity=found.identity,
        schema=found.schema,
        rows=max(rows, default=None),
        seconds=sum(preview.seconds for preview in previews),
    )


def strongest_lock(texts: list[str]) -> str:
    """The strongest table lock that the texts name; empty where they name none."""
    named = [lock for text in texts for lock in _NAMED.findall(text)]
    return max(named, key=LOCKS.index, default="")


def _facts(subject: Subject, number: int) -> PhaseFacts:
    phase = subject.run.phases[number - 1]
    declared = subject.plan.runbook.phase(number)
    lasting = [step for step in declared.steps if step.undo_none and step.kind not in READS_ONLY]
    return PhaseFacts(
        number=number,
        title=phase.title,
        owner=phase.owner_role,
        planned=phase.planned,
        lock=strongest_lock([step.locks for step in phase.steps]),
        steps=len(phase.steps),
        way_back=way_back(subject, number),
        reversible=not lasting,
    )


def _no_undo(run: RunView, plan: Plan) -> list[NoUndo]:
    return [
        NoUndo(place=shown.place, title=shown.title, why=step.undo_none)
        for phase, declared in zip(run.phases, plan.runbook.phases, strict=True)
        for shown, step in zip(phase.steps, declared.steps, strict=True)
        if step.undo_none and step.kind not in READS_ONLY and not getattr(step, "trial", False)
    ]


def _before(run: RunView, plan: Plan) -> Before | None:
    """The plan that the run had before; else that of the newest earlier run of the same runbook."""
    earlier = [digest for digest, _ in plans_of(run.id) if digest != run.digest]
    if earlier:
        return _compared(plan, earlier[-1], run.name, own=True)
    slug = plan.runbook.slug
    last = Run.objects.filter(slug=slug, pk__lt=run.id).exclude(state="draft").order_by("-pk").first()
    return _compared(plan, last.plan_id, last.name, own=False) if last is not None else None


def _compared(plan: Plan, digest: str, name: str, *, own: bool) -> Before:
    parts = difference.between(plan_of(digest), plan)
    return Before(digest=digest, run_name=name, own=own, parts=parts, words=difference.in_words(parts))
