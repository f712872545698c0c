"""Leases and outcomes: one worker at a time, and a token that only ever rises."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from controlpanel.embedded_databases import ControlUrls
from migration_runs.engine.outcome import Outcome, Waiting
from migration_runs.exceptions import IllegalMove, LeaseLost, Refused
from migration_runs.models import AuditEvent, LogLine, PhaseRun, StepRun
from migration_runs.phases import Role
from migration_runs.services import audit, confirmations, leases, progress, runs
from tests import plans
from tests.control import FINISHED, HOW, Scene, control_plan


def running(number: int = 1) -> Scene:
    scene = Scene.at_phase(number)
    scene.start(number)
    return scene


@pytest.mark.django_db
def test_lease_that_is_held_is_not_given_twice() -> None:
    phase = running().phase(1)
    assert leases.claim(phase.pk, worker="one") == 1
    assert leases.claim(phase.pk, worker="two") is None
    assert leases.renew(phase.pk, token=1)
    assert leases.release(phase.pk, token=1)
    assert not leases.renew(phase.pk, token=1)
    assert leases.claim(phase.pk, worker="two") == 2


@pytest.mark.django_db
def test_lease_that_ran_out_goes_to_another_worker_with_a_higher_token(settings: Any) -> None:
    scene = running()
    phase = scene.phase(1)
    settings.PHASEGATE_LEASE_SECONDS = 0.0001
    first = leases.claim(phase.pk, worker="one")
    second = leases.claim(phase.pk, worker="two")
    assert first is not None
    assert second is not None
    assert second > first
    assert not leases.renew(phase.pk, token=first)
    assert not leases.release(phase.pk, token=first)
    with pytest.raises(LeaseLost):
        progress.record_outcome(phase.pk, token=first, outcome=FINISHED)
    assert scene.phase(1).state == "running"
    assert scene.phase(1).attempt == 2
    event = AuditEvent.objects.get(run_id=scene.run_id, action="phase.take_over")
    assert event.detail["lost_worker"] == "one"


@pytest.mark.django_db
def test_token_of_a_later_phase_is_above_all_earlier_ones() -> None:
    scene = running()
    tokens = []
    for number in (1, 2, 3):
        if number > 1:
            scene.start(number)
        token = leases.claim(scene.phase(number).pk, worker="one")
        assert token is not None
        tokens.append(token)
        progress.record_outcome(scene.phase(number).pk, token=token, outcome=FINISHED)
        scene.sign_phase(number)
    assert tokens == sorted(set(tokens))
    assert scene.run.token == tokens[-1]


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 2])
def test_phase_that_needs_no_worker_is_not_claimed(number: int) -> None:
    scene = Scene.at_phase(1)
    assert leases.claim(scene.phase(number).pk, worker="one") is None


@pytest.mark.django_db
def test_outcome_told_twice_is_written_once() -> None:
    scene = running()
    phase = scene.phase(1)
    token = leases.claim(phase.pk, worker="one")
    assert token is not None
    progress.record_outcome(phase.pk, token=token, outcome=FINISHED)
    events = audit.head().seq
    assert progress.record_outcome(phase.pk, token=token, outcome=FINISHED).state == "awaiting_sign_off"
    assert audit.head().seq == events


def test_of_many_workers_one_gets_the_lease(control_db: ControlUrls) -> None:
    phase = running().phase(1)
    got: list[int | None] = []
    together = threading.Barrier(8)

    def claim(name: int) -> None:
        try:
            together.wait()
            got.append(leases.claim(phase.pk, worker=f"worker-{name}"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(token for token in got if token) == [1]
    assert got.count(None) == 7


def test_double_click_starts_a_phase_once(control_db: ControlUrls) -> None:
    scene = Scene.at_phase(2)
    said: list[str] = []
    together = threading.Barrier(4)

    def click() -> None:
        try:
            together.wait()
            scene.start(2)
            said.append("started")
        except IllegalMove as refusal:
            said.append(str(refusal))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("started") == 1
    assert sum("was started already" in text for text in said) == 3
    assert AuditEvent.objects.filter(run_id=scene.run_id, action="phase.start", detail__phase=2).count() == 1
    assert AuditEvent.objects.filter(run_id=scene.run_id, action="refused.start").count() == 3
    assert audit.verify().intact


def test_worker_that_writes_while_people_click_never_deadlocks(control_db: ControlUrls) -> None:
    scene = running(2)
    phase = scene.phase(2)
    held = leases.claim(phase.pk, worker="one")
    assert held is not None
    token: int = held
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for n in range(40):
                with transaction.atomic():
                    PhaseRun.objects.select_for_update(no_key=True).get(pk=phase.pk)
                    LogLine.objects.create(run_id=scene.run_id, phase=2, level="info", text=f"line {n}")
                leases.renew(phase.pk, token=token)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    for n in range(5):
        runs.hold_run(scene.run_id, reason=f"look {n}", person=scene.people[Role.DBA], how=HOW)
        phase = scene.phase(2)
        if phase.state == "pausing":
            progress.record_outcome(phase.pk, token=token, outcome=Outcome(status="paused"))
        runs.resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
        token = leases.claim(phase.pk, worker="one") or token
    thread.join()
    assert errors == []
    assert LogLine.objects.count() == 40


@pytest.mark.parametrize("what", ["run", "phase"])
def test_rows_that_refer_to_one_that_is_being_saved_are_written_without_waiting(
    control_db: ControlUrls, what: str
) -> None:
    scene = running(2)
    refused: list[BaseException] = []

    def write() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                LogLine.objects.create(run_id=scene.run_id, phase=2, level="info", text="at work")
                StepRun.objects.create(
                    phase=scene.phase(2), position=99, key="more", kind="sql", title="more", state="pending"
                )
        except OperationalError as error:
            refused.append(error)
        finally:
            connections.close_all()

    with transaction.atomic():
        (scene.run if what == "run" else scene.phase(2)).save()
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert refused == []


# -- waiting for people

ASKED = Outcome(
    status="waiting", step="asked", waiting=Waiting(step="asked", kind="confirmation", text="Is it done?")
)


def asking() -> Scene:
    scene = Scene.at_phase(5, control_plan({5: [plans.confirm_step()]}))
    scene.start(5)
    scene.work(5, ASKED)
    return scene


@pytest.mark.django_db
def test_confirmation_with_evidence_wakes_the_phase() -> None:
    scene = asking()
    assert scene.phase(5).look_again_at is None
    confirmations.confirm(
        scene.run_id, phase=5, step="asked", evidence="build 42", person=scene.people[Role.ENGINEER], how=HOW
    )
    assert scene.phase(5).look_again_at is not None


@pytest.mark.django_db
def test_confirmation_is_refused_without_evidence_role_or_question() -> None:
    scene = asking()
    emil, udo = scene.people[Role.ENGINEER], scene.people[Role.AUDITOR]
    with pytest.raises(Refused, match="not the evidence"):
        confirmations.confirm(scene.run_id, phase=5, step="asked", evidence=" ", person=emil, how=HOW)
    with pytest.raises(Refused, match="is for the role engineer"):
        confirmations.confirm(scene.run_id, phase=5, step="asked", evidence="build 42", person=udo, how=HOW)
    with pytest.raises(Refused, match="no step 'holds'"):
        confirmations.confirm(scene.run_id, phase=4, step="holds", evidence="build 42", person=emil, how=HOW)
    confirmations.confirm(scene.run_id, phase=5, step="asked", evidence="build 42", person=emil, how=HOW)
    with pytest.raises(IllegalMove, match="already"):
        confirmations.confirm(scene.run_id, phase=5, step="asked", evidence="build 43", person=emil, how=HOW)


@pytest.mark.django_db
def test_person_who_was_faster_than_the_worker_is_not_forgotten() -> None:
    scene = asking()
    confirmations.confirm(
        scene.run_id, phase=5, step="asked", evidence="build 42", person=scene.people[Role.ENGINEER], how=HOW
    )
    assert scene.work(5, ASKED).look_again_at is not None


@pytest.mark.django_db
def test_hold_pauses_a_waiting_phase_at_once_and_the_question_comes_again_after_it() -> None:
    scene = asking()
    runs.hold_run(scene.run_id, reason="the exchange is down", person=scene.people[Role.ONCALL], how=HOW)
    assert scene.phase(5).state == "paused"
    runs.resume_run(scene.run_id, person=scene.people[Role.ONCALL], how=HOW)
    assert (scene.phase(5).state, scene.phase(5).waiting) == ("running", None)
