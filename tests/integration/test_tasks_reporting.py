"""What a worker tells the control database, and what it hears from there."""

from __future__ import annotations

import time

import psycopg
import pytest
import redis
from django.contrib.auth.models import User
from django.db import transaction

from controlpanel.embedded_databases import ControlUrls
from migration_runs.chunk_reporting import ChunkReporter, TokenHold
from migration_runs.engine.outcome import CopyFigures
from migration_runs.exceptions import LeaseLost
from migration_runs.models import Confirmation, LogLine, PhaseRun, Run, StepRun
from migration_runs.reporting import ControlReporter
from migration_runs.selectors import live_stamp
from migration_runs.services import leases
from migration_runs.states import StepState
from tests import plans, runs

PATIENCE_S = 5.0


class Held:
    """A hold that is never lost: these tests are about the token in the control database."""

    good_for = 30.0

    def check(self) -> None:
        """Go on."""


def _claimed(worker: str = "worker") -> tuple[PhaseRun, ControlReporter]:
    phase = runs.run_in_phase(plans.plan({1: [plans.confirm_step("asked")]}))
    token = leases.claim(phase.pk, worker=worker)
    assert token is not None
    return phase, ControlReporter(phase, token=token, hold=Held(), patience_s=PATIENCE_S)


def _step(phase: PhaseRun) -> StepRun:
    return StepRun.objects.get(phase=phase, key="asked")


def test_state_result_and_times_of_a_step_are_kept(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    reporter.step("asked", StepState.RUNNING)
    began = _step(phase).started_at
    assert began is not None
    assert _step(phase).finished_at is None
    reporter.step("asked", StepState.DONE, result={"summary": "done", "rows": 3})
    reporter.flush()
    row = _step(phase)
    assert (row.state, row.result, row.started_at) == ("done", {"summary": "done", "rows": 3}, began)
    assert row.finished_at is not None


def test_the_end_of_a_step_waits_for_what_is_told_next_and_keeps_its_place(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    reporter.step("asked", StepState.RUNNING)
    reporter.step("asked", StepState.DONE, result={"summary": "done", "rows": 3})
    reporter.log("info", "done", step="asked")
    assert (_step(phase).state, LogLine.objects.count()) == ("running", 0)
    reporter.log("info", "of the phase")
    assert _step(phase).state == "done"
    assert list(LogLine.objects.order_by("pk").values_list("text", flat=True)) == ["done", "of the phase"]


def test_what_was_held_is_kept_until_it_is_committed(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    reporter.step("asked", StepState.DONE, result={"summary": "done", "rows": 3})
    with transaction.atomic():
        reporter.write_held()
        transaction.set_rollback(True)
    assert _step(phase).state == "pending"
    reporter.flush()
    assert _step(phase).state == "done"


def test_a_step_that_is_tried_again_loses_its_error_and_keeps_its_start(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    reporter.step("asked", StepState.RUNNING)
    began = _step(phase).started_at
    reporter.step("asked", StepState.FAILED, error="no such column")
    assert _step(phase).error == "no such column"
    reporter.step("asked", StepState.RUNNING)
    row = _step(phase)
    assert (row.error, row.finished_at, row.started_at) == ("", None, began)


def test_progress_is_held_back_but_its_last_figure_never_lost(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    for done in range(1, 50):
        reporter.progress("asked", done, 100, unit="rows")
    assert _step(phase).done == 1
    reporter.flush()
    assert _step(phase).done == 49
    reporter.progress("asked", 100, 100, unit="rows")
    assert _step(phase).done == 100


def test_progress_leaves_points_and_a_copys_figures_and_an_open_page_hears_of_both(
    control_db: ControlUrls,
) -> None:
    phase, reporter = _claimed()
    figures = CopyFigures(chunks=3, chunk_rows=250, longest_ms=41.5, touched=1, oldest_s=0.5)
    seen = {live_stamp.stamp_of(phase.run_id)}
    for done in (2, 3, 5):
        reporter.progress("asked", done, 5, unit="rows", figures=figures)
        reporter.flush()
        seen.add(live_stamp.stamp_of(phase.run_id)[:16])
    step = _step(phase)
    assert [done for _, done in step.points] == [2, 5], "closer points than a second make one"
    assert step.points[0][0] <= step.points[1][0]
    assert CopyFigures(**step.figures or {}) == figures
    assert len(seen) == 4
    reporter.step("asked", StepState.UNDOING)
    assert (_step(phase).points, _step(phase).figures) == ([], None)


def test_a_worker_whose_token_is_old_writes_nothing(control_db: ControlUrls) -> None:
    phase, zombie = _claimed("zombie")
    assert leases.release(phase.pk, token=PhaseRun.objects.get(pk=phase.pk).token)
    assert leases.claim(phase.pk, worker="successor") is not None
    with pytest.raises(LeaseLost):
        zombie.log("info", "still here")
    zombie.step("asked", StepState.DONE)
    with pytest.raises(LeaseLost):
        zombie.flush()
    with pytest.raises(LeaseLost):
        zombie.progress("asked", 5, 5, unit="rows")
    assert not LogLine.objects.exists()
    assert (_step(phase).state, _step(phase).done) == ("pending", 0)


def test_a_pause_is_heard(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    assert not reporter.stop_requested()
    row = PhaseRun.objects.get(pk=phase.pk)
    row.pause()
    row.save()
    time.sleep(0.3)  # an answer may be a quarter of a second old
    assert reporter.stop_requested()


def test_a_persons_word_reaches_the_engine_with_its_evidence(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    assert reporter.confirmation("asked") is None
    person = User.objects.create(username="erik")
    Confirmation.objects.create(phase=phase, step_key="asked", person=person, evidence="build 17")
    found = reporter.confirmation("asked")
    assert found is not None
    assert (found.person, found.evidence) == ("erik", "build 17")
    assert reporter.confirmation("asked", undo=True) is None


def test_the_proven_switch_is_kept_and_its_first_time_counts(control_db: ControlUrls) -> None:
    phase, reporter = _claimed()
    for moment in ("2026-03-02T09:00:00+00:00", "2026-03-02T10:00:00+00:00"):
        reporter.step("asked", StepState.DONE, result={"summary": "moved", "switched_at": moment})
        reporter.flush()
    switched_at = Run.objects.get(pk=phase.run_id).switched_at
    assert switched_at is not None
    assert switched_at.isoformat() == "2026-03-02T09:00:00+00:00"


def test_a_cut_connection_loses_no_line(control_db: ControlUrls) -> None:
    _, reporter = _claimed()
    reporter.log("info", "before")
    with psycopg.connect(control_db.app_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    reporter.log("info", "after")
    assert list(LogLine.objects.values_list("text", flat=True)) == ["before", "after"]


def test_an_extra_worker_moves_no_step_and_stops_with_its_token(control_db: ControlUrls) -> None:
    phase, _ = _claimed()
    token = PhaseRun.objects.get(pk=phase.pk).token
    extra = ChunkReporter(
        phase, token=token, hold=TokenHold(phase, token=token, seconds=3.0), patience_s=PATIENCE_S
    )
    extra.beat()
    extra.step("asked", StepState.DONE)
    extra.progress("asked", 5, 5, unit="rows")
    assert (_step(phase).state, _step(phase).done) == ("pending", 5)
    leases.release(phase.pk, token=token)
    leases.claim(phase.pk, worker="successor")
    time.sleep(0.3)
    with pytest.raises(LeaseLost):
        extra.beat()


def test_extra_workers_are_asked_for_with_the_phases_token(control_db: ControlUrls, broker: str) -> None:
    _, reporter = _claimed()
    reporter.start_chunk_workers(3)
    with redis.Redis.from_url(broker) as client:
        assert client.llen("chunks") == 3
