"""A worker's turn on a phase: claimed, executed by the engine, recorded."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs import beside, execution
from migration_runs.engine import attempts, connection
from migration_runs.exceptions import IllegalMove, LeaseLost
from migration_runs.models import AuditEvent, LogLine, PhaseRun, Run, StepRun
from migration_runs.reporting import outlast
from migration_runs.services import leases, sealing
from tests import plans, runs


def _effect(what: str) -> dict[str, object]:
    return plans.sql_step(what, f"INSERT INTO effects (what) VALUES ('{what}')")


def _now(phase: PhaseRun) -> PhaseRun:
    return PhaseRun.objects.get(pk=phase.pk)


def _lose_worker(phase: PhaseRun, worker: str) -> None:
    """A worker takes the phase and is never heard of again."""
    assert leases.claim(phase.pk, worker=worker) is not None
    PhaseRun.objects.filter(pk=phase.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_phase_is_executed_and_its_end_recorded_with_the_schema_it_left(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    assert execution.execute(phase.pk)
    row = _now(phase)
    assert (row.state, row.lease_worker, row.attempt) == ("awaiting_sign_off", "", 1)
    assert len(row.schema_digest) == 64
    assert StepRun.objects.get(phase=phase).state == "done"
    assert runs.effects(target.owner_url) == ["one"]


@pytest.mark.parametrize(
    ("step", "before", "kept"),
    [
        (plans.assert_step(), "a" * 64, True),
        (plans.assert_step(), "", False),
        (_effect("one"), "a" * 64, False),
    ],
)
def test_a_phase_that_cannot_change_the_schema_leaves_what_is_expected_as_it_was(
    control_db: ControlUrls, target: TargetUrls, step: dict[str, object], before: str, kept: bool
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({2: [step]}), number=2)
    PhaseRun.objects.filter(run_id=phase.run_id, number=1).update(schema_digest=before)
    assert execution.execute(phase.pk)
    found = _now(phase).schema_digest
    assert len(found) == 64
    assert (found == before) == kept


def test_a_phase_that_ended_or_is_held_by_another_is_not_touched(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    leases.claim(phase.pk, worker="another")
    assert not execution.execute(phase.pk)
    leases.release(phase.pk, token=_now(phase).token)
    assert execution.execute(phase.pk)
    assert not execution.execute(phase.pk)
    assert runs.effects(target.owner_url) == ["one"]


def test_a_phase_being_undone_is_undone_whichever_message_came(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    step = plans.sql_step(
        "one", "INSERT INTO effects (what) VALUES ('one')", undo="DELETE FROM effects WHERE what = 'one'"
    )
    phase = runs.run_in_phase(plans.plan({1: [step]}))
    execution.execute(phase.pk)
    row = _now(phase)
    row.undo()
    row.save()
    assert execution.execute(phase.pk)
    assert _now(phase).state == "undone"
    assert runs.effects(target.owner_url) == []


def test_a_worker_without_the_targets_url_fails_the_phase_and_names_the_variable(
    control_db: ControlUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(settings.TARGETS, "bars")
    phase = runs.run_in_phase(plans.plan())
    assert execution.execute(phase.pk)
    row = _now(phase)
    assert row.state == "failed"
    assert "TARGET_BARS_URL" in row.error
    assert row.next_step


def test_an_unreachable_target_fails_the_phase_without_showing_its_password(
    control_db: ControlUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "OUTAGE_S", 1.0)
    monkeypatch.setitem(settings.TARGETS, "bars", "postgresql://phasegate_runner:geheim@127.0.0.1:1/nowhere")
    phase = runs.run_in_phase(plans.plan())
    assert execution.execute(phase.pk)
    row = _now(phase)
    assert row.state == "failed"
    assert "nothing listens" in row.error
    told = [row.error, row.kept, row.next_step, *LogLine.objects.values_list("text", flat=True)]
    assert not [text for text in told if "geheim" in text]


def test_a_plan_that_was_changed_in_the_database_is_not_executed(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    with psycopg.connect(control_db.owner_url) as owner:
        owner.execute("ALTER TABLE migration_runs_storedplan DISABLE TRIGGER USER")
        owner.execute(
            "UPDATE migration_runs_storedplan SET body = jsonb_set(body, '{data_decision}', '\"delete\"')"
        )
        owner.execute("ALTER TABLE migration_runs_storedplan ENABLE TRIGGER USER")
    assert execution.execute(phase.pk)
    assert _now(phase).state == "failed"
    assert "not what was signed" in _now(phase).error
    assert runs.effects(target.owner_url) == []


def test_taking_over_is_told_and_ends_what_the_lost_worker_left_open(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    _lose_worker(phase, "host-1-lost")
    name = connection.application_name(phase.run.uid, "host-1-lost")
    with psycopg.connect(target.runner_url, application_name=name) as frozen:
        frozen.execute("SET ROLE bars_owner")
        frozen.execute("LOCK TABLE effects")
        assert execution.execute(phase.pk)
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")
    assert _now(phase).state == "awaiting_sign_off"
    assert _now(phase).attempt == 2
    lines = list(LogLine.objects.values_list("text", flat=True))
    assert "worker host-1-lost was lost, resuming (attempt 2)" in lines
    assert AuditEvent.objects.filter(action="phase.take_over").count() == 1


def test_a_phase_whose_workers_keep_dying_reaches_a_person(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    for number in range(execution.MAX_LOST + 1):
        _lose_worker(phase, f"host-{number}-lost")
    assert execution.execute(phase.pk)
    assert _now(phase).state == "failed"
    assert "workers in a row were lost" in _now(phase).error
    assert runs.effects(target.owner_url) == []


def test_a_control_database_that_stays_away_ends_in_a_lost_lease(control_db: ControlUrls) -> None:
    class Held:
        good_for = 30.0

        def check(self) -> None:
            """Go on."""

    def away() -> None:
        raise OperationalError("away")

    with pytest.raises(LeaseLost, match="did not answer"):
        outlast(away, hold=Held(), patience_s=0.3)


def test_a_sealed_runs_ledger_is_given_up_and_no_other_ones(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    execution.execute(phase.pk)
    assert not beside.give_up_ledger(phase.run_id)
    run = Run.objects.get(pk=phase.run_id)
    for verb in ("complete", "seal"):
        getattr(run, verb)()
        run.save()
    assert beside.give_up_ledger(phase.run_id)
    gone_at = Run.objects.get(pk=run.pk).ledger_gone_at
    assert gone_at is not None
    assert beside.give_up_ledger(phase.run_id)
    assert Run.objects.get(pk=run.pk).ledger_gone_at == gone_at
    assert AuditEvent.objects.filter(action="run.ledger_gone").count() == 1
    with psycopg.connect(target.runner_url) as conn:
        assert conn.execute("SELECT to_regnamespace('phasegate')").fetchone() == (None,)


def test_a_ledger_that_cannot_be_given_up_now_is_tried_again_and_told_once(
    control_db: ControlUrls, target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.make_tables(target.owner_url)
    phase = runs.run_in_phase(plans.plan({1: [_effect("one")]}))
    execution.execute(phase.pk)
    run = Run.objects.get(pk=phase.run_id)
    for verb in ("complete", "seal"):
        getattr(run, verb)()
        run.save()
    monkeypatch.setitem(settings.TARGETS, "bars", "postgresql://nobody:sesame@127.0.0.1:1/away")
    assert not beside.give_up_ledger(run.pk)
    assert not beside.give_up_ledger(run.pk)
    assert Run.objects.get(pk=run.pk).ledger_gone_at is None
    told = LogLine.objects.filter(text__contains="ledger could not be dropped")
    assert len(told) == 1
    assert "sesame" not in told[0].text
    monkeypatch.setitem(settings.TARGETS, "bars", target.runner_url)
    assert beside.give_up_ledger(run.pk)


def test_a_run_that_is_not_sealed_keeps_its_ledger_whoever_says_it_is_gone(control_db: ControlUrls) -> None:
    phase = runs.run_in_phase(plans.plan())
    with pytest.raises(IllegalMove, match="only a sealed run"):
        sealing.record_ledger_gone(phase.run_id, worker="worker-1")
    assert Run.objects.get(pk=phase.run_id).ledger_gone_at is None
