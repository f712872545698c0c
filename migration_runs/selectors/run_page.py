"""The run page: one run, read with a constant number of queries."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now

from migration_runs import phases
from migration_runs.engine.outcome import CopyFigures
from migration_runs.exceptions import Refused
from migration_runs.models import Confirmation, PhaseRun, Run, StepRun
from migration_runs.phases import Role
from migration_runs.runbook.plan import PhasePlan, Plan
from migration_runs.runbook.steps import ConfirmStep, Step
from migration_runs.selectors import log_pages, next_step, rollback_progress, rollback_readiness, trail
from migration_runs.selectors.gate_views import SignOffView
from migration_runs.selectors.gates import sign_off_matrix
from migration_runs.selectors.monitoring import windows_of
from migration_runs.selectors.paces import pace_of
from migration_runs.selectors.phase_views import PhaseView, StepView
from migration_runs.selectors.plans import header_of, sql_files
from migration_runs.selectors.readiness import readiness_of
from migration_runs.selectors.run_views import RunView
from migration_runs.selectors.verifications import verification_of
from migration_runs.selectors.workers import hands_of
from migration_runs.services import actions, adjusting, confirmations, fleet, people
from migration_runs.services.offer import Action
from migration_runs.services.plan_store import plan_of
from migration_runs.services.plans import planned_end
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState

LOG_LINES = 200
EVENTS = 8
MayConfirm = Callable[[int, str], bool]
"""Whether the person who looks may confirm a step of a phase now."""
BUSY = frozenset({"running", "pausing", "paused", "failed", "awaiting_sign_off", "undoing", "undo_failed"})


def run_view(run_id: int, *, person: User) -> RunView:
    """Everything on the page of a run, as ``person`` may see and do it. Raises Run.DoesNotExist."""
    run = Run.objects.select_related("author", "held_by").annotate(asked_at=Now()).get(pk=run_id)
    plan = plan_of(run.plan_id)
    assigned = {Role(row.role): row.person.username for row in run.assignments.select_related("person")}
    allowed = actions.allowed_actions(run, person)
    matrix = sign_off_matrix(run, plan, assigned, allowed)
    windows = windows_of(run, plan, now=run.asked_at)
    phase_views = tuple(
        _signed(phase, matrix) for phase in _phases(run, plan, assigned, person, now=run.asked_at)
    )
    current = current_phase(run.state, phase_views)
    copied = _rows_copied(phase_views)
    events = trail.latest_events(run, EVENTS)
    compared = verification_of(
        run, plan, phases=phase_views, windows=windows, events=events, rows_copied=copied, now=run.asked_at
    )
    return RunView(
        id=run.pk,
        name=run.name,
        title=plan.runbook.title,
        summary=plan.runbook.summary,
        target=run.target,
        digest=run.plan_id,
        data_decision=run.data_decision,
        clock_speed=plan.clock_speed,
        window_hours=plan.runbook.window.hours,
        min_open_checks=plan.runbook.window.min_open_checks,
        source_table=run.source_table,
        target_table=run.target_table,
        state=run.state,
        author=run.author.username,
        created_at=run.created_at,
        started_at=run.started_at,
        started_by=next((phase.started_by for phase in phase_views if phase.number == 1), ""),
        finished_at=run.finished_at,
        hold_reason=run.hold_reason,
        held_by=run.held_by.username if run.held_by else "",
        seal_after=run.seal_after,
        next=next_step.next_step(run, current, allowed, matrix, windows[-1] if windows else None),
        actions=allowed,
        phases=phase_views,
        current=current,
        sign_offs=matrix,
        window=windows[-1] if windows else None,
        past_windows=tuple(windows[:-1]),
        readiness=readiness_of(run, plan, person, named=assigned),
        verification=compared,
        rollback=rollback_readiness.readiness_of(run.state, plan, phase_views, compared),
        rollback_progress=rollback_progress.progress_of(run.state, phase_views),
        rows_copied=copied,
        events=events,
        log=log_pages.last_lines(run.pk, LOG_LINES),
        settings=_settings(run, plan, allowed),
        assignments={str(role): name for role, name in assigned.items()},
    )


def _rows_copied(views: Iterable[PhaseView]) -> int:
    """Rows that copy steps have reported so far."""
    return sum(step.done or 0 for phase in views for step in phase.steps if step.kind == "copy")


def _settings(run: Run, plan: Plan, allowed: Iterable[Action]) -> tuple[adjusting.Setting, ...]:
    """The copy's adjustable values, while there is a copy that they could be about."""
    if not any(action.verb == "adjust" for action in allowed):
        return ()
    return adjusting.settings_of(run.pk, plan)


def current_phase(run_state: str, views: Iterable[PhaseView]) -> PhaseView:
    """The phase in front: the one that is busy, else the next one ready, else the last one done."""
    ordered = list(views)
    busy = [phase for phase in ordered if phase.state in BUSY]
    if busy:
        return busy[-1]
    over = [phase for phase in ordered if phase.state in {"done", "undone"}]
    if run_state in {"rolling_back", "rolled_back"}:  # a phase that was ready will not be started any more
        return over[0] if over else ordered[0]
    ready = next((phase for phase in ordered if phase.state == "ready"), None)
    if ready is not None:
        return ready
    return over[-1] if over else ordered[0]


def _phases(
    run: Run, plan: Plan, assigned: dict[Role, str], person: User, *, now: datetime
) -> tuple[PhaseView, ...]:
    """``now`` is the control database's: leases are judged by its clock."""
    rows = list(run.phases.select_related("started_by").order_by("number"))
    steps: dict[int, dict[str, StepRun]] = defaultdict(dict)
    for step in StepRun.objects.filter(phase__run=run):
        steps[step.phase_id][step.key] = step
    confirmed: dict[tuple[int, str, bool], Confirmation] = {
        (row.phase_id, row.step_key, row.undo): row
        for row in Confirmation.objects.filter(phase__run=run).select_related("person")
    }
    at, actor = Situation(run), people.actor_of(person, how="")

    def may_confirm(number: int, step: str) -> bool:
        try:
            confirmations.may_confirm(at, actor, number=number, step=step)
        except Refused:
            return False
        return True

    return tuple(
        _phase(
            row,
            plan.runbook.phase(row.number),
            steps[row.pk],
            confirmed,
            assigned,
            may_confirm,
            now=now,
            slot_end=planned_end(plan, row.number, row.planned_start),
        )
        for row in rows
    )


def _phase(
    row: PhaseRun,
    declared: PhasePlan,
    steps: dict[str, StepRun],
    confirmed: dict[tuple[int, str, bool], Confirmation],
    assigned: dict[Role, str],
    may_confirm: MayConfirm,
    *,
    now: datetime,
    slot_end: datetime,
) -> PhaseView:
    fixed = phases.by_number(row.number)
    hands = hands_of(row, now=now)
    return PhaseView(
        number=row.number,
        key=row.key,
        title=fixed.title,
        purpose=fixed.purpose,
        state=row.state,
        locked=row.number == 9 and row.state == PhaseState.PENDING,
        owner_role=declared.owner,
        owner=assigned.get(declared.owner, ""),
        planned_start=row.planned_start,
        slot_end=slot_end,
        planned=timedelta(minutes=row.planned_minutes),
        started_at=row.started_at,
        finished_at=row.finished_at,
        started_by=row.started_by.username if row.started_by else "",
        signed_by=(),
        error=row.error,
        kept=row.kept,
        next_step=row.next_step,
        waiting=str(row.waiting.get("text", "")) if row.waiting else "",
        worker=row.lease_worker,
        worker_lost_s=hands.lost_s,
        fleet=fleet.silence() if hands.missing else "",
        attempt=row.attempt,
        success=declared.success,
        steps=tuple(
            _step(place, step, steps.get(step.key), row, confirmed, may_confirm, stalled=hands.missing)
            for place, step in enumerate(declared.steps, 1)
        ),
    )


def _step(
    place: int,
    step: Step,
    row: StepRun | None,
    phase: PhaseRun,
    confirmed: dict[tuple[int, str, bool], Confirmation],
    may_confirm: MayConfirm,
    *,
    stalled: bool,
) -> StepView:
    what, why, locks, timeout, undo = header_of(step)
    undoing = phase.state in {"undoing", "undo_failed", "undone"}
    confirm = step if isinstance(step, ConfirmStep) else None
    word = confirmed.get((phase.pk, step.key, undoing)) if confirm else None
    result: dict[str, Any] = (row.result or {}) if row else {}
    return StepView(
        key=step.key,
        place=f"{phase.number}.{place}",
        title=step.title,
        kind=step.kind,
        state=row.state if row else "pending",
        what=what,
        why=why,
        locks=locks,
        timeout=timeout,
        undo=undo,
        estimate=timedelta(seconds=step.estimate_s),
        sql=sql_files(step),
        started_at=row.started_at if row else None,
        finished_at=row.finished_at if row else None,
        done=row.done if row and row.total else None,
        total=row.total if row and row.total else None,
        unit=row.unit if row else "",
        note=row.note if row else "",
        note_since=row.note_since if row else None,
        stalled=stalled,
        summary=str(result.get("summary", "")),
        error=row.error if row else "",
        confirm_text=((confirm.undo_text if undoing else confirm.text) or "") if confirm else "",
        confirm_hint=confirm.evidence_hint if confirm else "",
        confirm_role=confirm.role if confirm else None,
        confirmed_by=word.person.username if word else "",
        evidence=word.evidence if word else "",
        pace=pace_of(row.points) if row else None,
        figures=CopyFigures(**row.figures) if row and row.figures else None,
        may_confirm=confirm is not None and word is None and may_confirm(phase.number, step.key),
    )


def _signed(phase: PhaseView, matrix: Iterable[SignOffView]) -> PhaseView:
    """The phase with who closed it, and when."""
    gate = f"phase:{phase.number}"
    given = (row for row in matrix if row.gate == gate and row.state == "given" and row.at)
    return dataclasses.replace(phase, signed_by=tuple(f"{row.person} {row.at:%H:%M}" for row in given))
