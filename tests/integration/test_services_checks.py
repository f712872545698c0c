"""The monitoring window: due checks are rows, a missed one counts as failed, and no role cleans up early."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migration_runs.engine.outcome import Outcome
from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import DueCheck, MonitoringWindow
from migration_runs.phases import Role
from migration_runs.services import checks, gates, runs, verification, window
from migration_runs.services.window import WindowRule, judge
from tests import plans
from tests.control import CHECK, CLEAN, DIRTY, HOW, WINDOW, Scene, check_outcome, control_plan

pytestmark = pytest.mark.django_db

MONITOR = {"kind": "monitor", "key": "watch", "title": "watch", "undo_none": "only looks"}
WAITING = Outcome(status="waiting", waiting=WINDOW)
SLOW = {"hours": 24, "clock_speed": 1.0}


def monitoring(**more: Any) -> Scene:
    """A run whose window has begun."""
    scene = Scene.at_phase(8, control_plan({8: [MONITOR]}, **more))
    scene.start(8)
    scene.work(8, WAITING)
    return scene


def due_now(scene: Scene, *, late: bool = False) -> list[int]:
    """Let a round of a slow window be due: no clock can be turned, so a row is made in the past."""
    current = MonitoringWindow.objects.get(run_id=scene.run_id, ended_at=None)
    ago = timedelta(hours=1) if late else timedelta(seconds=1)
    number = 1000 + current.checks.count()
    moment = datetime.now(UTC) - ago
    row = DueCheck.objects.create(
        window=current,
        check_key="alive",
        round=number,
        due_at=moment,
        late_after=moment + timedelta(minutes=15),
    )
    return [row.pk]


def began(scene: Any) -> int | None:
    """The check that a worker takes now."""
    due = checks.begin_next(scene.run_id)
    return due.pk if due else None


def test_check_begun_by_a_worker_that_is_gone_is_taken_again() -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene)
    assert began(scene) == due
    now = datetime.now(UTC)
    window = DueCheck.objects.get(pk=due).window
    row = DueCheck.objects.create(
        window=window, check_key="alive", round=3000, state="running",
        due_at=now - timedelta(minutes=10), late_after=now + timedelta(minutes=5),
    )  # fmt: skip
    assert began(scene) == row.pk


def test_every_due_check_is_a_row_from_the_start_of_the_window() -> None:
    checked = [
        CHECK,
        plans.check("priced", "SELECT 1 AS value, '' AS detail", passes={"at_least": 1}, in_window=False),
    ]
    scene = monitoring(**SLOW, checks=checked)
    rows = list(DueCheck.objects.filter(window__run_id=scene.run_id))
    assert [row.round for row in rows] == list(range(1, 25))
    assert {row.check_key for row in rows} == {"alive"}
    started = MonitoringWindow.objects.get(run_id=scene.run_id).started_at
    assert rows[-1].due_at == started + timedelta(hours=24)
    assert rows[0].late_after == started + timedelta(minutes=75)
    assert checks.runs_with_due_checks() == []
    assert checks.begin_next(scene.run_id) is None


def test_worker_that_comes_twice_makes_no_second_window() -> None:
    scene = monitoring(**SLOW)
    scene.work(8, WAITING)
    assert MonitoringWindow.objects.filter(run_id=scene.run_id).count() == 1


def test_failed_check_ends_the_window_and_holds_the_run_while_checks_go_on() -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene)
    assert checks.runs_with_due_checks() == [scene.run_id]
    assert began(scene) == due
    assert checks.record_check(due, check_outcome(due, "fail"))
    assert scene.run.state == "on_hold"
    assert scene.run.hold_kind == "check"
    assert "alive failed" in scene.run.hold_reason
    assert scene.phase(8).state == "paused"
    assert MonitoringWindow.objects.get(run_id=scene.run_id).ended_at is not None
    later = DueCheck.objects.filter(window__run_id=scene.run_id, state="pending")
    assert later.count() == 24
    row = DueCheck.objects.create(
        window=later[0].window, check_key="alive", round=2000,
        due_at=datetime.now(UTC) - timedelta(seconds=1), late_after=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    assert began(scene) == row.pk
    assert checks.record_check(row.pk, check_outcome(row.pk, "pass"))


def test_resuming_after_a_failed_check_starts_a_fresh_window() -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene)
    began(scene)
    checks.record_check(due, check_outcome(due, "fail"))
    runs.resume_run(scene.run_id, person=scene.people[Role.ONCALL], how=HOW)
    scene.work(8, WAITING)
    first, second = MonitoringWindow.objects.filter(run_id=scene.run_id).order_by("number")
    assert second.started_at > first.started_at
    assert second.ended_at is None
    assert not first.checks.filter(state__in=["pending", "running"]).exists()
    assert second.checks.filter(state="pending").count() == 24


def test_a_check_that_fails_while_its_phase_has_failed_breaks_the_window_all_the_same() -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene)
    began(scene)
    scene.work(8, Outcome(status="failed", error="the target is away"))
    checks.record_check(due, check_outcome(due, "fail"))
    assert scene.run.state == "in_progress"
    owner = scene.people[scene.phase(8).phase.owner]
    runs.retry_phase(scene.run_id, person=owner, how=HOW)
    scene.work(8, WAITING)
    first, second = MonitoringWindow.objects.filter(run_id=scene.run_id).order_by("number")
    assert "alive failed" in first.end_reason
    assert second.ended_at is None


def test_resuming_a_persons_hold_keeps_the_window() -> None:
    scene = monitoring(**SLOW)
    runs.hold_run(scene.run_id, reason="a look at the logs", person=scene.people[Role.ONCALL], how=HOW)
    runs.resume_run(scene.run_id, person=scene.people[Role.ONCALL], how=HOW)
    scene.work(8, WAITING)
    assert MonitoringWindow.objects.filter(run_id=scene.run_id).count() == 1


@pytest.mark.parametrize("begun", [False, True])
def test_check_without_a_result_in_time_is_missed_and_counts_as_failed(begun: bool) -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene, late=True)
    if begun:
        began(scene)
    assert checks.mark_missed() == [due]
    assert scene.run.state == "on_hold"
    assert "missed" in scene.run.hold_reason
    assert checks.mark_missed() == []
    assert began(scene) != due
    assert not checks.record_check(due, check_outcome(due, "pass"))
    assert DueCheck.objects.get(pk=due).state == "missed"


def test_result_that_comes_after_its_time_is_a_missed_check() -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene, late=True)
    assert not checks.record_check(due, check_outcome(due, "pass"))
    assert DueCheck.objects.get(pk=due).state == "missed"
    assert scene.run.state == "on_hold"


def test_first_result_of_a_check_counts() -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene)
    assert began(scene) == due
    assert began(scene) is None  # the message came twice
    assert checks.record_check(due, check_outcome(due, "pass"))
    assert not checks.record_check(due, check_outcome(due, "fail"))
    assert scene.run.state == "in_progress"


@pytest.mark.parametrize("verdict", ["pass", "warn", "closed"])
def test_pass_warn_and_closed_hold_nothing(verdict: str) -> None:
    scene = monitoring(**SLOW)
    (due,) = due_now(scene)
    began(scene)
    checks.record_check(due, check_outcome(due, verdict))
    assert scene.run.state == "in_progress"


def test_whole_window_wakes_the_phase_which_then_finishes() -> None:
    scene = monitoring()
    assert scene.phase(8).look_again_at is None
    while not window.is_whole(scene.run_id):
        scene.check_all()
        time.sleep(0.05)
    assert scene.phase(8).look_again_at is not None
    scene.work(8)
    assert scene.phase(8).state == "awaiting_sign_off"
    assert MonitoringWindow.objects.get(run_id=scene.run_id).end_reason == "whole"
    assert window.is_whole(scene.run_id)


def test_worker_that_calls_a_window_whole_that_is_not_is_not_believed() -> None:
    scene = monitoring(**SLOW)
    scene.work(8)
    assert scene.phase(8).state == "running"


def test_window_in_closed_market_hours_goes_on_until_enough_rounds_were_open() -> None:
    plan = control_plan({8: [MONITOR]})
    needs_open = plan.runbook.window.model_copy(update={"min_open_checks": 3})
    plan = plan.model_copy(update={"runbook": plan.runbook.model_copy(update={"window": needs_open})})
    scene = Scene.at_phase(8, plan)
    scene.start(8)
    scene.work(8, WAITING)
    while DueCheck.objects.filter(window__run_id=scene.run_id, state="done").count() < 2:
        scene.check_all()
        time.sleep(0.05)
    assert not window.is_whole(scene.run_id)
    assert DueCheck.objects.filter(window__run_id=scene.run_id, state="pending", round=3).count() == 1
    while not window.is_whole(scene.run_id):
        scene.check_all()
        time.sleep(0.05)


@pytest.mark.parametrize("role", list(Role))
def test_no_role_starts_the_cleanup_before_the_window_is_whole(role: Role) -> None:
    scene = monitoring(**SLOW)
    with pytest.raises((Refused, IllegalMove)):
        scene.start(9, person=scene.people[role])
    assert scene.phase(9).state == "pending"


def test_cleanup_stays_locked_after_a_failing_verification_until_a_clean_one() -> None:
    scene = Scene.at_phase(9)
    with pytest.raises(Refused, match="have not been verified yet"):
        scene.start(9)
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, gates.start_gate(9))
    verification.record(scene.run_id, DIRTY)
    assert scene.run.state == "on_hold"
    runs.resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    with pytest.raises(Refused, match="1 missing"):
        scene.start(9)
    verification.record(scene.run_id, CLEAN)
    scene.start(9)
    assert scene.phase(9).state == "running"


def test_verification_from_before_the_window_does_not_open_the_cleanup() -> None:
    scene = Scene.at_phase(8)
    verification.record(scene.run_id, CLEAN)
    scene.go_through(8)
    with pytest.raises(Refused, match="since monitoring began"):
        scene.start(9)


def test_failing_verification_holds_a_run_in_phase_8_and_breaks_its_window() -> None:
    scene = monitoring(**SLOW)
    verification.record(scene.run_id, DIRTY)
    assert scene.run.state == "on_hold"
    assert MonitoringWindow.objects.get(run_id=scene.run_id).ended_at is not None


def test_clock_too_fast_for_the_sweeper_is_refused_at_submit() -> None:
    with pytest.raises(Refused, match="the sweeper looks every"):
        Scene.submitted(control_plan(hours=2, clock_speed=36_000.0))


# -- the rule itself

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RULE = WindowRule(length=timedelta(hours=24), interval=timedelta(hours=1), min_open_checks=12)


def rows(**changes: dict[str, Any]) -> list[DueCheck]:
    """A window's checks, all passed in open hours; ``r7={"verdict": "fail"}`` changes round 7."""
    made = []
    for number in range(1, 25):
        values: dict[str, Any] = {"state": "done", "verdict": "pass", "market_open": True}
        values |= changes.get(f"r{number}", {})
        due = START + number * RULE.interval
        made.append(
            DueCheck(check_key="alive", round=number, due_at=due, late_after=due + RULE.lateness, **values)
        )
    return made


END = START + timedelta(hours=24)


@pytest.mark.parametrize(
    ("found", "now", "lacks"),
    [
        (rows(), END, ""),
        (rows(), END - timedelta(seconds=1), "it ends at"),
        (rows(r7={"verdict": "fail"}), END, "alive of round 7 failed"),
        (rows(r24={"state": "missed", "verdict": ""}), END, "alive of round 24 was missed"),
        (rows(r24={"state": "running", "verdict": ""}), END, "no result yet"),
        (rows(r24={"state": "pending", "verdict": ""}), END, "no result yet"),
        (rows(r3={"verdict": "warn"}, r4={"verdict": "closed", "market_open": False}), END, ""),
        ([], END, "it has no checks"),
        (rows(**{f"r{n}": {"market_open": False} for n in range(1, 14)}), END, "11 of 12 rounds"),
        (rows(**{f"r{n}": {"market_open": False} for n in range(1, 13)}), END, ""),
    ],
)
def test_window_is_whole_only_with_every_result_and_the_full_time(
    found: list[DueCheck], now: datetime, lacks: str
) -> None:
    verdict = judge(found, rule=RULE, started_at=START, now=now)
    assert verdict.whole == (not lacks)
    assert lacks in "; ".join(verdict.lacks)


def test_interrupted_window_never_becomes_whole() -> None:
    verdict = judge(rows(), rule=RULE, started_at=START, now=END, interrupted="a check failed")
    assert not verdict.whole
    assert verdict.broken


def test_lateness_is_a_quarter_of_the_interval_and_ten_seconds_at_least() -> None:
    assert RULE.lateness == timedelta(minutes=15)
    assert WindowRule(timedelta(seconds=24), timedelta(seconds=1), 0).lateness == timedelta(seconds=10)
