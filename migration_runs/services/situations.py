"""Many runs read at once, for pages that ask the rules about all of them: a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from django.db.models import OuterRef, QuerySet, Subquery

from migration_runs.models import (
    Assignment,
    DueCheck,
    MonitoringWindow,
    PhaseRun,
    ReadinessTick,
    Run,
    SignOff,
    StepRun,
    VerificationReport,
)
from migration_runs.phases import CLEANUP, MONITORING, Role
from migration_runs.services import plan_store
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState, RunState


class _OfRun(Protocol):
    run_id: int


R = TypeVar("R", bound=_OfRun)


def read(runs: Sequence[Run], *, everybody: Mapping[int, Actor], now: datetime) -> dict[int, Situation]:
    """The situation of each run by id, as of ``now`` by the control database, a part at a time for all.

    ``everybody`` are the active people who have a role. Steps are read of runs that have not started: it is
    their start alone that asks for them. Anything else that a rule asks for is read when it is asked for.
    """
    plans = plan_store.plans_of(run.plan_id for run in runs)
    phases: dict[int, dict[int, PhaseRun]] = defaultdict(dict)
    for phase in PhaseRun.objects.filter(run__in=runs).select_related("started_by").order_by("number"):
        phases[phase.run_id][phase.number] = phase
    signed = SignOff.objects.filter(run__in=runs, void_at=None).select_related("person")
    sign_offs = _by_run(signed.order_by("at", "id"))
    assigned = _by_run(Assignment.objects.filter(run__in=runs))
    ticks = _by_run(ReadinessTick.objects.filter(run__in=runs))
    steps = _steps([run for run in runs if run.state == RunState.APPROVED])
    watched = [run for run in runs if _watched(phases[run.pk])]
    windows, checks = _windows(watched)
    started = [run for run in runs if run.started_at is not None]
    reports = _reports(started)
    roles = {pk: actor.roles for pk, actor in everybody.items()}
    found = {run.pk: Situation(run, read_at=now) for run in runs}
    for run in runs:
        signers = {s.person_id: roles.get(s.person_id, frozenset()) for s in sign_offs[run.pk]}
        found[run.pk].__dict__.update(
            plan=plans[run.plan_id],
            phases=phases[run.pk],
            sign_offs=sign_offs[run.pk],
            signer_roles=signers,
            assigned={Role(row.role): row.person_id for row in assigned[run.pk]},
            ticks={tick.item: tick for tick in ticks[run.pk]},
        )
    for run_id, rows in steps.items():
        found[run_id].__dict__.update(steps=rows)
    for run in watched:
        window = windows.get(run.pk)
        found[run.pk].__dict__.update(window=window, due_checks=checks[window.pk] if window else [])
    for run in started:
        full, look = (reports[kind].get(run.pk) for kind in VerificationReport.Kind.values)
        found[run.pk].__dict__.update(verification=full, look=look)
    return found


def _by_run(rows: QuerySet[Any, R]) -> dict[int, list[R]]:
    found: dict[int, list[R]] = defaultdict(list)
    for row in rows:
        found[row.run_id].append(row)
    return found


def _steps(runs: Sequence[Run]) -> dict[int, list[StepRun]]:
    found: dict[int, list[StepRun]] = {run.pk: [] for run in runs}
    rows = StepRun.objects.filter(phase__run__in=runs).select_related("phase").defer("result", "error")
    for step in rows:
        found[step.phase.run_id].append(step)
    return found


def _watched(phases: Mapping[int, PhaseRun]) -> bool:
    """Whether rules or pages ask for the run's window: from the start of monitoring to that of cleanup."""
    waits = {PhaseState.PENDING, PhaseState.READY}
    return bool(phases) and phases[MONITORING].state not in waits and phases[CLEANUP].state in waits


def _windows(runs: Sequence[Run]) -> tuple[dict[int, MonitoringWindow], dict[int, list[DueCheck]]]:
    """The newest window of each run, and the checks of each window."""
    newest = MonitoringWindow.objects.filter(run__in=runs).order_by("run_id", "-number").distinct("run_id")
    windows = {window.run_id: window for window in newest}
    checks: dict[int, list[DueCheck]] = defaultdict(list)
    for check in DueCheck.objects.filter(window__in=windows.values()).order_by("round", "id"):
        checks[check.window_id].append(check)
    return windows, checks


def _reports(runs: Sequence[Run]) -> dict[str, dict[int, VerificationReport]]:
    """The newest report of each kind and run: each found by the index, however many there are."""
    of_run = VerificationReport.objects.filter(run=OuterRef("pk")).order_by("-id").values("pk")
    kinds = {kind: Subquery(of_run.filter(kind=kind)[:1]) for kind in VerificationReport.Kind.values}
    newest = Run.objects.filter(pk__in=[run.pk for run in runs]).values_list(*kinds.values())
    wanted = [pk for row in newest for pk in row if pk is not None]
    found: dict[str, dict[int, VerificationReport]] = {kind: {} for kind in kinds}
    rows = VerificationReport.objects.filter(pk__in=wanted).defer("examples", "columns")
    for report in rows:
        found[report.kind][report.run_id] = report
    return found
