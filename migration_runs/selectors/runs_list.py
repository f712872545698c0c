"""The list of runs, with where each stands: a constant number of queries, however many runs there are."""

from __future__ import annotations

from collections import defaultdict

from django.db.models.fields.json import KeyTextTransform, KeyTransform

from migration_runs import phases
from migration_runs.models import PhaseRun, Run, StepRun, StoredPlan
from migration_runs.selectors.rollback_progress import UNDOING
from migration_runs.selectors.run_page import BUSY
from migration_runs.selectors.run_views import RunRow
from migration_runs.selectors.workers import hands_of, lost_in_words
from migration_runs.services import clock, fleet
from migration_runs.states import PHASE_WORKING, RUN_FINAL


def run_rows(runs: list[Run]) -> dict[int, RunRow]:
    """A row for each of the runs, by id.

    The runs come with ``author`` selected, or it costs a query each. Their plans stay where they are: a plan
    holds every file of its runbook, and a row shows its title alone.
    """
    by_run: dict[int, list[PhaseRun]] = defaultdict(list)
    shown = PhaseRun.objects.filter(run__in=runs).only(
        "run_id", "number", "state", "lease_worker", "lease_until"
    )
    for phase in shown.order_by("number"):
        by_run[phase.run_id].append(phase)
    fronts = {run.pk: _front(run, by_run[run.pk]) for run in runs}
    working = StepRun.objects.filter(
        phase__in=[phase for phase in fronts.values() if phase], state__in=["running", "undoing"], total__gt=0
    )
    steps = {step.phase_id: step for step in working}
    troubles = _troubles([phase for phase in fronts.values() if phase])
    titles = _titles(runs)
    return {
        run.pk: _row(run, titles[run.plan_id], by_run[run.pk], fronts[run.pk], steps, troubles)
        for run in runs
    }


def _titles(runs: list[Run]) -> dict[str, str]:
    """Titles of runbooks by the plan's digest."""
    title = KeyTextTransform("title", KeyTransform("runbook", "body"))
    plans = StoredPlan.objects.filter(pk__in={run.plan_id for run in runs})
    return {digest: str(text) for digest, text in plans.values_list("pk", title)}


def _troubles(fronts: list[PhaseRun]) -> dict[int, str]:
    """By id of phases that nobody is at though somebody should be: since when, or that no worker is there."""
    if not any(phase.state in PHASE_WORKING for phase in fronts):
        return {}
    now = clock.database_now()
    hands = {phase.pk: hands_of(phase, now=now) for phase in fronts}
    silence = fleet.silence() if any(one.missing for one in hands.values()) else ""
    return {pk: silence or lost_in_words(one.lost_s) for pk, one in hands.items() if one.missing}


def _front(run: Run, rows: list[PhaseRun]) -> PhaseRun | None:
    """The phase that somebody is at, or that starts next: none of a run that goes back, or is over."""
    busy = [phase for phase in rows if phase.state in BUSY]
    if busy or run.state in UNDOING | RUN_FINAL:
        return busy[-1] if busy else None
    return next((phase for phase in rows if phase.state == "ready"), None)


def _row(
    run: Run,
    title: str,
    rows: list[PhaseRun],
    front: PhaseRun | None,
    steps: dict[int, StepRun],
    troubles: dict[int, str],
) -> RunRow:
    step = steps.get(front.pk) if front else None
    return RunRow(
        id=run.pk,
        name=run.name,
        title=title,
        target=run.target,
        digest=run.plan_id,
        state=run.state,
        phase_number=front.number if front else None,
        phase_title=phases.by_number(front.number).title if front else "",
        phase_state=front.state if front else "",
        done=step.done if step else None,
        total=step.total if step else None,
        unit=step.unit if step else "",
        trouble=troubles.get(front.pk, "") if front else "",
        phases_done=sum(phase.state == "done" for phase in rows),
        author=run.author.username,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        hold_reason=run.hold_reason,
    )
