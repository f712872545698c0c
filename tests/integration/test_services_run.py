"""Whole runs, driven through the services by six people."""

from __future__ import annotations

import pytest

from migration_runs.engine.outcome import Outcome
from migration_runs.models import AuditEvent, SignOff
from migration_runs.phases import Role
from migration_runs.services import actions, audit, gates, leases, progress, runs, step_up, verification
from tests.control import CLEAN, HOW, PASSWORD, Scene

pytestmark = pytest.mark.django_db


def roll_back(scene: Scene, role: Role = Role.ONCALL) -> None:
    person = scene.people[role]
    proof = step_up.prove(person, password=PASSWORD)
    runs.roll_back_run(scene.run_id, typed_name=scene.run.name, step_up=proof, person=person, how=HOW)


def test_six_people_take_a_run_from_draft_to_completed() -> None:
    scene = Scene.approved()
    for number in range(1, 10):
        scene.go_through(number)
    run = scene.run
    assert run.state == "completed"
    assert set(scene.states()) == {"done"}
    assert run.completed_at is not None
    assert run.seal_after is not None
    assert SignOff.objects.filter(run=run, approved=True, void_at=None).count() == 11
    assert audit.verify().intact


def test_every_transition_and_signature_has_exactly_one_event() -> None:
    scene = Scene.at_phase(2)
    told = list(
        AuditEvent.objects.filter(run_id=scene.run_id).order_by("seq").values_list("action", flat=True)
    )
    assert told == [
        "run.create", "run.assign", "run.submit", "sign_off.approve", "run.approve", "run.start",
        "phase.make_ready", "phase.start", "phase.finish", "sign_off.approve", "phase.sign",
        "phase.make_ready",
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(1, 10))
def test_rollback_from_every_phase_undoes_what_was_done_last_first(number: int) -> None:
    scene = Scene.at_phase(number)
    if number == 9:
        verification.record(scene.run_id, CLEAN)
        scene.sign(Role.APPROVER, gates.start_gate(9))
    scene.start(number)
    roll_back(scene)
    undone = []
    while scene.run.state == "rolling_back":
        busy = next(n for n, state in enumerate(scene.states(), 1) if state == "undoing")
        undone.append(busy)
        scene.work(busy)
    assert undone == list(range(number, 0, -1))
    assert scene.run.state == "rolled_back"
    assert scene.states() == ["undone"] * number + ["pending"] * (9 - number)


def test_rollback_after_completion_undoes_all_nine() -> None:
    scene = Scene.at_phase(9)
    scene.go_through(9)
    roll_back(scene, Role.APPROVER)
    for number in range(9, 0, -1):
        scene.work(number)
    assert scene.run.state == "rolled_back"
    assert set(scene.states()) == {"undone"}


def test_rolling_back_an_approved_run_ends_it_at_once() -> None:
    scene = Scene.approved()
    roll_back(scene)
    assert scene.run.state == "rolled_back"


def test_phase_that_a_worker_holds_reaches_a_safe_place_before_it_is_undone() -> None:
    scene = Scene.at_phase(4)
    scene.start(4)
    token = leases.claim(scene.phase(4).pk, worker="worker-1")
    assert token
    roll_back(scene)
    assert scene.phase(4).state == "pausing"
    progress.record_outcome(scene.phase(4).pk, token=token, outcome=Outcome(status="paused", step="copy"))
    assert scene.phase(4).state == "undoing"


def test_failed_undo_is_told_and_tried_again() -> None:
    scene = Scene.at_phase(3)
    roll_back(scene)
    scene.work(
        2, Outcome(status="failed", step="holds", error="the target does not answer", next_step="wait")
    )
    assert scene.phase(2).state == "undo_failed"
    assert scene.phase(2).error == "the target does not answer"
    assert scene.phase(1).state == "done"
    runs.retry_rollback(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    scene.work(2)
    scene.work(1)
    assert scene.run.state == "rolled_back"


def test_failed_phase_is_tried_again_and_goes_on() -> None:
    scene = Scene.at_phase(2)
    scene.start(2)
    scene.work(
        2,
        Outcome(
            status="failed", step="holds", error="no unique index", kept="nothing changed", next_step="repair"
        ),
    )
    failed = scene.phase(2)
    assert (failed.state, failed.error, failed.kept, failed.next_step) == (
        "failed", "no unique index", "nothing changed", "repair",
    )  # fmt: skip
    runs.retry_phase(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert scene.phase(2).attempt == 2
    assert scene.phase(2).error == ""
    scene.work(2)
    assert scene.phase(2).state == "awaiting_sign_off"


def test_paused_phase_stops_and_resumes_where_it_was() -> None:
    scene = Scene.at_phase(4)
    scene.start(4)
    runs.pause_phase(scene.run_id, person=scene.people[Role.ENGINEER], how=HOW)
    assert scene.phase(4).state == "paused"  # no worker held it
    runs.resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert scene.phase(4).state == "running"


def test_hold_pauses_the_phase_blocks_starts_and_ends_with_resume() -> None:
    scene = Scene.at_phase(5)
    runs.hold_run(scene.run_id, reason="the exchange is down", person=scene.people[Role.ONCALL], how=HOW)
    with pytest.raises(Exception, match="on hold: the exchange is down"):
        scene.start(5)
    runs.resume_run(scene.run_id, person=scene.people[Role.ONCALL], how=HOW)
    scene.start(5)
    assert scene.phase(5).state == "running"
    assert scene.run.hold_reason == ""


def test_sealing_waits_for_the_retention() -> None:
    scene = Scene.at_phase(9)
    scene.go_through(9)
    with pytest.raises(Exception, match="until it is sealed it can be rolled back"):
        runs.seal_run(scene.run_id, person=scene.people[Role.APPROVER], how=HOW)
    run = scene.run
    run.seal_after = run.completed_at
    run.save()
    runs.seal_run(scene.run_id, person=scene.people[Role.APPROVER], how=HOW)
    with pytest.raises(Exception, match="is sealed"):
        roll_back(scene)


def test_offered_actions_are_exactly_those_that_the_verbs_then_allow() -> None:
    scene = Scene.at_phase(3)
    offered = {a.verb: a for a in actions.allowed_actions(scene.run, scene.people[Role.DBA])}
    assert offered["start"].allowed
    assert offered["start"].phase == 3
    assert offered["roll_back"].allowed
    assert offered["roll_back"].needs_step_up
    auditor = actions.allowed_actions(scene.run, scene.people[Role.AUDITOR])
    assert auditor
    assert not any(action.allowed for action in auditor)
    assert all(action.why_not for action in auditor)
