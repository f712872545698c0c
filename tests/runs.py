"""Runs put where a test needs them, by the models' own transitions: no worker, no signature, no waiting."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from django.contrib.auth.models import User
from django.utils import timezone

from migration_runs import phases
from migration_runs.models import PhaseRun, Run, StepRun, StoredPlan
from migration_runs.runbook.plan import Plan
from tests import plans


def make_tables(url: str, *, rows: int = 0) -> None:
    """The small plans' tables on the target, owned by the role of ``url``, the old one with ``rows`` rows."""
    with psycopg.connect(url) as conn:
        conn.execute(plans.TABLES)
        conn.execute(
            "INSERT INTO old_things SELECT n, 'body ' || n FROM generate_series(1, %s::int) AS n", [rows]
        )


def effects(url: str) -> list[str]:
    """What the plan's steps have noted in ``effects``, in order, committed rows alone."""
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute("SELECT what FROM effects ORDER BY id")]


def run_in_phase(plan: Plan, *, number: int = 1, state: str = "running") -> PhaseRun:
    """A run whose phases before ``number`` are done and whose phase ``number`` is in ``state``."""
    run = _run(plan)
    for phase in run.phases.order_by("number"):
        if phase.number > number:
            break
        verbs = ["make_ready", "start", "finish", "sign"] if phase.number < number else _way_to(state)
        for verb in verbs:
            getattr(phase, verb)()
            phase.save()
        phase.started_at = timezone.now()
        phase.attempt = 1
        phase.save()
    return run.phases.get(number=number)


def _way_to(state: str) -> list[str]:
    return {
        "ready": ["make_ready"],
        "running": ["make_ready", "start"],
        "pausing": ["make_ready", "start", "pause"],
        "paused": ["make_ready", "start", "pause", "reach_pause"],
        "undoing": ["make_ready", "start", "finish", "undo"],
    }[state]


def _run(plan: Plan) -> Run:
    author, _ = User.objects.get_or_create(username="dora")
    stored, _ = StoredPlan.objects.get_or_create(
        digest=plan.digest,
        defaults={"slug": plan.runbook.slug, "body": plan.model_dump(mode="json"), "created_by": author},
    )
    run = Run.objects.create(
        slug=plan.runbook.slug,
        plan=stored,
        target=plan.target,
        source_table=plan.runbook.move.source,
        target_table=plan.runbook.move.target,
        data_decision=plan.data_decision,
        author=author,
        planned_start=timezone.now(),
    )
    for verb in ("submit", "approve", "start"):
        getattr(run, verb)()
        run.save()
    for phase in phases.PHASES:
        row = PhaseRun.objects.create(
            run=run,
            number=phase.number,
            key=phase.key,
            planned_start=timezone.now() + timedelta(hours=phase.number),
            planned_minutes=1,
        )
        for position, step in enumerate(plan.runbook.phase(phase.number).steps):
            StepRun.objects.create(
                phase=row, position=position, key=step.key, kind=step.kind, title=step.title
            )
    return run
