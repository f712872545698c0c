"""What the sweeper finds: everything that should be happening and is not, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs import beside, execution, sweeper
from migration_runs.models import PhaseRun, Run, StepRun, VerificationReport
from migration_runs.services import leases
from migration_runs.sweeper import Hint
from tests import plans, runs


def _phases() -> list[Hint]:
    return list(sweeper.phases_to_work_on())


def test_a_running_phase_that_nobody_holds_is_found(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan())
    assert _phases() == [Hint("run_phase", phase.pk)]


def test_a_phase_being_undone_is_found(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan(), state="undoing")
    assert _phases() == [Hint("undo_phase", phase.pk)]


@pytest.mark.parametrize("state", ["ready", "paused"])
def test_a_phase_that_asks_for_no_worker_is_left_alone(control_db: ControlUrls, state: str) -> None:
    runs.run_in_phase(plans.plan(), state=state)
    assert _phases() == []


def test_a_phase_whose_worker_is_alive_is_left_alone(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan())
    assert leases.claim(phase.pk, worker="alive") is not None
    assert _phases() == []


def test_a_phase_whose_worker_was_lost_is_found(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan())
    leases.claim(phase.pk, worker="lost")
    PhaseRun.objects.filter(pk=phase.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert _phases() == [Hint("run_phase", phase.pk)]


def test_a_waiting_phase_is_found_when_it_is_time_to_look_again(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan())
    rows = PhaseRun.objects.filter(pk=phase.pk)
    rows.update(waiting={"step": "asked", "kind": "confirmation", "text": "?"}, look_again_at=None)
    assert _phases() == []
    rows.update(look_again_at=timezone.now() + timedelta(minutes=1))
    assert _phases() == []
    rows.update(look_again_at=timezone.now() - timedelta(seconds=1))
    assert _phases() == [Hint("run_phase", phase.pk)]


def test_a_waiting_phase_that_shall_pause_is_found(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan(), state="pausing")
    PhaseRun.objects.filter(pk=phase.pk).update(waiting={"step": "asked"}, look_again_at=None)
    assert _phases() == [Hint("run_phase", phase.pk)]


def _with_triggers(number: int) -> PhaseRun:
    """A run in phase ``number`` of a plan that turns forward sync on in phase 4 and off in phase 9."""
    forward = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
    retire = {"kind": "soft_delete", "key": "retire", "title": "retire"}
    return runs.run_in_phase(plans.plan({4: [forward], 9: [retire]}), number=number)


def _mark(phase: PhaseRun, key: str, state: str) -> None:
    StepRun.objects.filter(phase__run=phase.run_id, key=key).update(state=state)


def test_runs_are_drained_from_dual_write_on_until_it_is_off(control_db: ControlUrls) -> None:
    phase = _with_triggers(9)
    assert list(sweeper.runs_to_drain()) == []
    _mark(phase, "forward", "done")
    assert list(sweeper.runs_to_drain()) == [Hint("drain_run", phase.run_id)]
    _mark(phase, "retire", "done")
    assert list(sweeper.runs_to_drain()) == []


def test_a_rollback_after_cleanup_is_drained_again(control_db: ControlUrls) -> None:
    phase = _with_triggers(9)
    _mark(phase, "forward", "done")
    _mark(phase, "retire", "undone")
    assert list(sweeper.runs_to_drain()) == [Hint("drain_run", phase.run_id)]


def _report(run_id: int, *, ago: timedelta) -> None:
    VerificationReport.objects.create(
        run_id=run_id, at=timezone.now() - ago, source_rows=1, target_rows=1, missing=0, extra=0,
        different=0, pending=0, clean=True, seconds=0.5,
    )  # fmt: skip


def test_a_copied_run_is_verified_at_the_markets_pace(
    control_db: ControlUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PHASEGATE_VERIFICATION_SECONDS", 3600.0)
    phase = runs.run_in_phase(plans.plan(clock_speed=60.0), number=8)
    expected = [Hint("verify_when_due", phase.run_id)]
    assert list(sweeper.runs_to_verify()) == expected
    _report(phase.run_id, ago=timedelta(seconds=61))
    assert list(sweeper.runs_to_verify()) == expected
    assert sweeper.verification_due(phase.run_id)
    _report(phase.run_id, ago=timedelta(seconds=30))
    assert list(sweeper.runs_to_verify()) == []
    assert not sweeper.verification_due(phase.run_id)


@pytest.mark.parametrize("number", [3, 9])
def test_a_run_before_its_copy_or_in_cleanup_is_not_verified(control_db: ControlUrls, number: int) -> None:
    runs.run_in_phase(plans.plan(), number=number)
    assert list(sweeper.runs_to_verify()) == []


def test_a_sealed_run_whose_message_was_lost_still_gives_up_its_ledger(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    """Sealed, and the hint that followed the commit never arrived."""
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [plans.sql_step("one", "SELECT 1")]}))
    execution.execute(phase.pk)
    run = Run.objects.get(pk=phase.run_id)
    for verb in ("complete", "seal"):
        assert list(sweeper.ledgers_to_give_up()) == []
        getattr(run, verb)()
        run.save()
    hint = Hint("give_up_ledger", run.pk)
    assert hint in sweeper.hints()
    assert beside.give_up_ledger(run.pk)
    assert hint not in sweeper.hints()
    with psycopg.connect(target.runner_url) as conn:
        assert conn.execute("SELECT to_regnamespace('phasegate')").fetchone() == (None,)
