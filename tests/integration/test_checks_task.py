"""Due checks and live verifications, from the row to the recorded result."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs import beside, sweeper, tasks, work
from migration_runs.engine.outcome import Outcome, Waiting
from migration_runs.exceptions import EngineError
from migration_runs.models import DueCheck, LogLine, MonitoringWindow, PhaseRun, Run, VerificationReport
from migration_runs.services import checks, leases, progress, verification_schedule
from migration_runs.sweeper import Hint
from tests import plans, runs
from tests.integration.windows import let_time_pass

WAITS = Outcome(status="waiting", waiting=Waiting(step="holds", kind="window", text="the window"))


def _windowed(*checks_: dict[str, object], clock_speed: float = 1.0) -> PhaseRun:
    """A run whose phase 8 waits for its window, which has just begun."""
    phase = runs.run_in_phase(plans.plan(checks=checks_, clock_speed=clock_speed), number=8)
    token = leases.claim(phase.pk, worker="worker")
    assert token is not None
    progress.record_outcome(phase.pk, token=token, outcome=WAITS)
    return phase


def _first(phase: PhaseRun) -> DueCheck:
    """The only check of the first round."""
    return DueCheck.objects.get(window__run=phase.run_id, round=1)


def _rows_check(**passes: float) -> dict[str, object]:
    text = "SELECT count(*) AS value, 'rows' AS detail FROM public.new_things"
    return plans.check("rows", text, passes=passes)


def test_a_due_check_is_found_measured_and_recorded(control_db: ControlUrls, target: TargetUrls) -> None:
    runs.make_tables(target.owner_url)
    phase = _windowed(_rows_check(equals=0))
    assert list(sweeper.checks_due()) == []
    let_time_pass(phase.run_id, "61 minutes")
    assert list(sweeper.checks_due()) == [Hint("run_due_checks", phase.run_id)]
    beside.run_due_checks(phase.run_id)
    row = _first(phase)
    assert (row.state, row.verdict, row.value, row.detail) == ("done", "pass", 0.0, "rows")
    assert list(sweeper.checks_due()) == []


def test_a_doubled_message_measures_nothing_twice(control_db: ControlUrls, target: TargetUrls) -> None:
    runs.make_tables(target.owner_url)
    phase = _windowed(_rows_check(equals=0))
    let_time_pass(phase.run_id, "61 minutes")
    beside.run_due_checks(phase.run_id)
    before = list(DueCheck.objects.values())
    beside.run_due_checks(phase.run_id)
    assert list(DueCheck.objects.values()) == before


def test_a_check_whose_worker_died_is_sent_again_while_it_can_be_in_time(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    phase = _windowed(_rows_check(equals=0))
    let_time_pass(phase.run_id, "61 minutes")
    begun = checks.begin_next(phase.run_id)
    assert begun is not None
    assert list(sweeper.checks_due()) == []
    assert checks.begin_next(phase.run_id) is None
    let_time_pass(phase.run_id, "10 minutes")
    assert list(sweeper.checks_due()) == [Hint("run_due_checks", phase.run_id)]
    assert checks.begin_next(phase.run_id) == begun


def test_a_failed_check_holds_the_run(control_db: ControlUrls, target: TargetUrls) -> None:
    runs.make_tables(target.owner_url)
    phase = _windowed(_rows_check(at_least=1))
    let_time_pass(phase.run_id, "61 minutes")
    beside.run_due_checks(phase.run_id)
    run = Run.objects.get(pk=phase.run_id)
    assert (run.state, run.hold_kind) == ("on_hold", "check")
    assert MonitoringWindow.objects.get(run=run).ended_at is not None


def test_a_target_that_is_away_is_a_failed_check_and_no_missed_one(
    control_db: ControlUrls, target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = _windowed(_rows_check(equals=0))
    let_time_pass(phase.run_id, "61 minutes")
    monkeypatch.setitem(settings.TARGETS, "bars", "postgresql://phasegate_runner:x@127.0.0.1:1/nowhere")
    beside.run_due_checks(phase.run_id)
    row = _first(phase)
    assert (row.state, row.verdict) == ("done", "fail")
    assert "nothing listens" in row.detail


def test_a_check_that_nobody_ran_is_missed_and_holds_the_run(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    phase = _windowed(_rows_check(equals=0))
    let_time_pass(phase.run_id, "76 minutes")
    assert len(checks.mark_missed()) == 1
    assert Run.objects.get(pk=phase.run_id).state == "on_hold"
    assert list(sweeper.checks_due()) == []


def test_a_verification_is_made_and_kept(control_db: ControlUrls, target: TargetUrls) -> None:
    runs.make_tables(target.owner_url, rows=30)
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("INSERT INTO new_things SELECT * FROM old_things WHERE id > 1")
        conn.execute("UPDATE new_things SET body = 'other' WHERE id = 7")
    phase = runs.run_in_phase(plans.plan(), number=8)
    found = beside.verify_run(phase.run_id)
    assert found is not None
    assert (found.missing, found.different, found.clean) == (1, 1, False)
    report = VerificationReport.objects.get(run=phase.run_id)
    assert (report.missing, report.different, report.clean) == (1, 1, False)
    assert Run.objects.get(pk=phase.run_id).state == "on_hold"
    latest = beside.recent_verification(phase.run_id, plans.plan())
    assert latest is not None
    assert not latest.clean


def test_a_check_does_not_live_on_a_clean_report_of_long_ago(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    """The verification's worker died after a clean report, and a row got lost since."""
    runs.make_tables(target.owner_url, rows=3)
    built_in: dict[str, object] = {
        "key": "verified",
        "title": "t",
        "builtin": "verification",
        "passes": {"equals": 0},
    }
    phase = _windowed(built_in)
    VerificationReport.objects.create(
        run_id=phase.run_id, at=timezone.now() - timedelta(hours=3), source_rows=3, target_rows=3, missing=0,
        extra=0, different=0, pending=0, clean=True, seconds=0.5,
    )  # fmt: skip
    let_time_pass(phase.run_id, "61 minutes")
    beside.run_due_checks(phase.run_id)
    row = _first(phase)
    assert (row.verdict, row.value) == ("fail", 3.0)


def test_a_verification_that_cannot_be_made_is_told_and_is_no_clean_one(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    phase = runs.run_in_phase(plans.plan(), number=8)
    assert beside.verify_run(phase.run_id) is None
    assert beside.verify_run(phase.run_id) is None
    assert not VerificationReport.objects.exists()
    assert "verification could not be made" in LogLine.objects.get(run=phase.run_id).text


def test_two_workers_do_not_compare_the_same_run_at_once(control_db: ControlUrls, target: TargetUrls) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan(), number=8)
    with psycopg.connect(control_db.app_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", [0x5047_0002, phase.run_id])
        assert beside.verify_run(phase.run_id) is None
        other.execute("SELECT pg_advisory_unlock_all()")
    assert beside.verify_run(phase.run_id) is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,)


def test_a_clock_faster_than_the_sweeper_is_refused_before_the_window(
    control_db: ControlUrls, target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SWEEP_SECONDS", 60.0)
    phase = runs.run_in_phase(plans.plan(clock_speed=120.0), number=8)
    with pytest.raises(EngineError, match=r"checks every 30 s cannot be kept.*every 60 s"):
        work.phase_job(phase, token=1, worker="worker")


def test_an_alias_that_this_worker_does_not_know_is_said_by_its_variable(
    control_db: ControlUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(settings.TARGETS, "bars")
    phase = runs.run_in_phase(plans.plan())
    with pytest.raises(EngineError, match="TARGET_BARS_URL is not set"):
        work.phase_job(phase, token=1, worker="worker")


def test_verification_follows_the_last_one_by_a_share_of_its_own_time() -> None:
    """A comparison that takes long on a compressed clock must not run back to back."""
    assert verification_schedule.period(3600.0, 0.1) == timedelta(seconds=3)
    assert verification_schedule.period(3600.0, 10.0) == timedelta(seconds=40)


def test_hints_that_waited_behind_a_long_verification_make_no_second_one(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan(), number=8)
    for _ in range(5):
        tasks.verify_when_due(phase.run_id)
    assert VerificationReport.objects.count() == 1
    tasks.verify_run(phase.run_id)
    assert VerificationReport.objects.count() == 2
