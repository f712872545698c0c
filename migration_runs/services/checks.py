"""The checks of a monitoring window: rows made when it starts, results, and what was missed.

A check that did not run is seen because its row was made before; it counts as failed. What fails or is missed
holds the run and ends the window; checks go on during the hold, and resuming starts a fresh window.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, Max, Q
from django.db.models.functions import Now

from migration_runs import phases
from migration_runs.engine.outcome import CheckOutcome
from migration_runs.models import DueCheck, MonitoringWindow
from migration_runs.services import audit, clock, holding, notify, people, situation, waking
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.window import WindowRule, verdict_of
from migration_runs.states import PhaseState, RunState

WATCHED = frozenset({PhaseState.RUNNING, PhaseState.PAUSING, PhaseState.PAUSED})
"""States of phase 8 in which checks are made: during a pause or a hold they go on."""
HOUR_MINUTES = 60
WATCHED_RUNS = frozenset({RunState.IN_PROGRESS, RunState.ON_HOLD})
OPEN = (DueCheck.State.PENDING, DueCheck.State.RUNNING)


def ensure_window(at: Situation, *, actor: Actor) -> MonitoringWindow:
    """The run's open window; a fresh one, with every due check as a row, where there is none."""
    current = at.window
    if current is not None and current.ended_at is None:
        return current
    if current is not None:
        current.checks.filter(state__in=OPEN).update(state=DueCheck.State.DROPPED)
    window = MonitoringWindow.objects.create(
        run=at.run, number=current.number + 1 if current else 1, started_at=clock.database_now()
    )
    rule = WindowRule.of(at.plan)
    _add_rounds(at, window, first=1, last=rule.rounds)
    audit.append(
        actor=actor,
        run=at.run,
        action="window.start",
        object=f"window {window.number} of {at.run.name}",
        detail={"rounds": rule.rounds, "checks": window.due_count, "ends": window.started_at + rule.length},
    )
    _forget(at)
    return window


def _add_rounds(at: Situation, window: MonitoringWindow, *, first: int, last: int) -> None:
    rule = WindowRule.of(at.plan)
    keys = [check.key for check in at.plan.runbook.checks if check.in_window]
    rows = [
        DueCheck(
            window=window,
            check_key=key,
            round=number,
            due_at=window.started_at + number * rule.interval,
            late_after=window.started_at + number * rule.interval + rule.lateness,
        )
        for number in range(first, last + 1)
        for key in keys
    ]
    DueCheck.objects.bulk_create(rows)
    window.due_count += len(rows)
    window.save(update_fields=["due_count"])


def end_window(at: Situation, *, reason: str, actor: Actor) -> None:
    """End the open window, if there is one, because it is whole or because something broke it."""
    window = at.window
    if window is None or window.ended_at is not None:
        return
    window.ended_at = clock.database_now()
    window.end_reason = reason
    window.save(update_fields=["ended_at", "end_reason"])
    audit.append(
        actor=actor,
        run=at.run,
        action="window.end",
        object=f"window {window.number} of {at.run.name}",
        detail={"reason": reason},
    )


def drop_due(at: Situation) -> None:
    """Nothing is due in the newest window any more: its phase is over, or being undone."""
    if at.window is not None:
        at.window.checks.filter(state__in=OPEN).update(state=DueCheck.State.DROPPED)
    _forget(at)


def runs_with_due_checks() -> list[int]:
    """Runs that have a check to be begun now by the control database's clock, by id."""
    rows = DueCheck.objects.filter(_to_begin(), **_watched("window__run"))
    return list(rows.values_list("window__run", flat=True).distinct().order_by("window__run"))


def begin_next(run_id: int) -> DueCheck | None:
    """Take the run's oldest check that is to be begun now, and mark it as begun; None when there is none.

    Two workers never take the same one at once. One that was begun but has used up half of its time without a
    result may be taken again: its worker may be gone. A check only reads, and the first result counts.
    """
    with transaction.atomic():
        due = (
            DueCheck.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .filter(_to_begin(), window__run=run_id, **_watched("window__run"))
            .order_by("due_at", "id")
            .first()
        )
        if due is not None:
            due.state = DueCheck.State.RUNNING
            due.save(update_fields=["state"])
    return due


def _to_begin() -> Q:
    """Due and not begun; or begun so long ago that half of the time it has is over."""
    grace = F("late_after") - F("due_at")
    lost = Q(state=DueCheck.State.RUNNING, late_after__gt=Now(), due_at__lt=Now() - grace / 2)
    return Q(state=DueCheck.State.PENDING, due_at__lte=Now()) | lost


def record_check(due_check_id: int, outcome: CheckOutcome, *, worker: str = "worker") -> bool:
    """Write a check's result; False when it came too late or twice.

    One that failed holds the run and ends the window; so does one that comes after its time, which is missed.
    """
    actor = people.worker_actor(worker)
    with transaction.atomic():
        at = situation.lock(DueCheck.objects.values_list("window__run", flat=True).get(pk=due_check_id))
        row = DueCheck.objects.select_for_update(no_key=True).get(pk=due_check_id)
        if row.state not in OPEN:
            return False
        if is_watched(at) and clock.database_now() > row.late_after:
            _miss(at, [row], actor=actor)
            return False
        row.state = DueCheck.State.DONE
        row.verdict = outcome.verdict
        row.value = outcome.value
        row.shown = outcome.shown
        row.detail = outcome.detail
        row.bound = outcome.bound
        row.market_open = outcome.market_open
        row.market_now = outcome.market_now
        row.finished_at = clock.database_now()
        row.save()
        if outcome.verdict == "fail":
            _break(at, [row], actor=actor, what=f"check {row.check_key} failed: {outcome.detail}".strip(": "))
        _go_on(at)
    return True


def mark_missed(*, worker: str = "sweeper") -> list[int]:
    """Mark every check that is late without a result; each run concerned is held. Returns the checks' ids."""
    late = DueCheck.objects.filter(state__in=OPEN, **_watched("window__run"))
    runs = list(
        late.filter(late_after__lt=clock.database_now())
        .values_list("window__run", flat=True)
        .distinct()
        .order_by()
    )
    missed: list[int] = []
    for run_id in runs:
        missed += _mark_missed(run_id, actor=people.worker_actor(worker))
    return missed


def _mark_missed(run_id: int, *, actor: Actor) -> list[int]:
    with transaction.atomic():
        at = situation.lock(run_id)
        if not is_watched(at):
            return []
        rows = list(
            DueCheck.objects.select_for_update(no_key=True, skip_locked=True)
            .filter(window__run=at.run, state__in=OPEN, late_after__lt=clock.database_now())
            .order_by("id")
        )
        if rows:
            _miss(at, rows, actor=actor)
        return [row.pk for row in rows]


def _miss(at: Situation, rows: list[DueCheck], *, actor: Actor) -> None:
    for row in rows:
        row.state = DueCheck.State.MISSED
        row.finished_at = clock.database_now()
        row.detail = f"no result by {row.late_after:%H:%M:%S} UTC"
        row.save()
    names = ", ".join(sorted({row.check_key for row in rows}))
    count = "a check was" if len(rows) == 1 else f"{len(rows)} checks were"
    _break(at, rows, actor=actor, what=f"{count} missed: {names}")
    _go_on(at)


def is_watched(at: Situation) -> bool:
    """Whether the run's checks are being made now."""
    return at.run.state in WATCHED_RUNS and at.phase(phases.MONITORING).state in WATCHED


def _watched(run: str) -> dict[str, object]:
    """:func:`is_watched` as a filter; ``run`` is the path to the run."""
    return {
        f"{run}__state__in": [state.value for state in WATCHED_RUNS],
        f"{run}__phases__number": phases.MONITORING,
        f"{run}__phases__state__in": [state.value for state in WATCHED],
    }


def _break(at: Situation, rows: list[DueCheck], *, actor: Actor, what: str) -> None:
    """The window, if it was open and theirs, ends; the run is held, unless nobody watches it any more.

    A phase that failed while the check was made is held by nobody, but its retry needs a fresh window.
    """
    word = "hour" if at.plan.runbook.window.interval_minutes == HOUR_MINUTES else "round"
    audit.append(
        actor=actor,
        run=at.run,
        action="check.missed" if rows[0].state == DueCheck.State.MISSED else "check.fail",
        object=f"{word} {rows[0].round} of {at.run.name}",
        detail={"checks": sorted({row.check_key for row in rows}), "reason": what},
    )
    if at.window is not None and at.window.pk == rows[0].window_id:
        end_window(at, reason=what, actor=actor)
    if is_watched(at):
        held_for = at.run.hold_kind
        holding.hold(at, kind=holding.HoldKind.CHECK, reason=what, actor=actor)
        if held_for == holding.HoldKind.CHECK:  # else the hold itself told it
            keys = {row.check_key for row in rows}
            notify.check_failed_on_hold(at, keys=keys, what=what, actor=actor)


def _go_on(at: Situation) -> None:
    """After a result: wake the phase when the window is whole, or add a round where it needs longer.

    It needs longer when the market was closed for too much of it; and during a hold checks go on.
    """
    _forget(at)
    window = at.window
    if window is None or not is_watched(at) or _goes_on_by_itself(at, window):
        return
    if window.ended_at is None and verdict_of(at).whole:
        waking.wake(at.phase(phases.MONITORING))
        return
    if any(row.state in OPEN for row in at.due_checks):
        return
    rule = WindowRule.of(at.plan)
    last = window.checks.aggregate(last=Max("round"))["last"] or 0
    # During a long hold rounds may lie in the past: the next one is the first in the future.
    elapsed = clock.database_now() - window.started_at
    number = max(last, elapsed // rule.interval) + 1
    _add_rounds(at, window, first=number, last=number)
    _forget(at)


def _goes_on_by_itself(at: Situation, window: MonitoringWindow) -> bool:
    """Whether a check that is to come will bring us here again, so that nothing is to be decided yet.

    Most results come in the middle of a round: judging the whole window each time would cost more than them.
    """
    now = clock.database_now()
    ahead = window.checks.filter(state__in=OPEN).order_by("due_at").values_list("due_at", flat=True).first()
    return ahead is not None and (ahead <= now or now - window.started_at < WindowRule.of(at.plan).length)


def _forget(at: Situation) -> None:
    at.__dict__.pop("window", None)
    at.__dict__.pop("due_checks", None)
