"""Readiness and progress of a rollback on the pages of a run."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from migration_runs.engine.outcome import RollbackItem, RollbackPreview
from migration_runs.models import StepRun
from migration_runs.phases import Role
from migration_runs.selectors import rollback
from migration_runs.selectors.run_page import run_view
from migration_runs.services import runs, step_up
from tests.control import PASSWORD, Scene, control_plan
from tests.integration import panel
from tests.integration.panel import url

pytestmark = pytest.mark.usefixtures("control_db", "broker")

PAGES = ("change", "plan", "monitoring", "readiness", "documents", "audit", "handover", "rollback")


def text_of(scene: Scene, page: str = "change", *, role: Role = Role.ONCALL) -> str:
    client = Client()
    client.force_login(scene.people[role])
    response = client.get(url(page, scene.run_id), follow=True)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))


def undo(scene: Scene, number: int, **given: object) -> None:
    """What a worker writes of the steps of a phase that it has undone."""
    StepRun.objects.filter(phase__run=scene.run_id, phase__number=number).update(
        **{"state": "undone", "finished_at": timezone.now()} | given
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_a_run_says_how_ready_a_rollback_is(page: str) -> None:
    scene = panel.STATES["running"]()
    words = run_view(scene.run_id, person=scene.people[Role.ONCALL]).rollback
    assert words is not None
    for role in (Role.ONCALL, Role.AUDITOR):
        shown = text_of(scene, page, role=role)
        assert re.search(f"Rollback (\\w+ )?{words.words}", shown), shown[:1500]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_how_far_a_rollback_is(page: str) -> None:
    scene = panel.rolling_back()
    back = run_view(scene.run_id, person=scene.people[Role.ONCALL]).rollback_progress
    assert back is not None
    assert f"{back.undone} of {len(back.steps)} steps undone" in text_of(scene, page)


def test_a_rollback_shows_what_is_undone_what_is_next_and_what_came_of_each_step() -> None:
    scene = panel.rolling_back()
    before = run_view(scene.run_id, person=scene.people[Role.ONCALL]).rollback_progress
    assert before is not None
    undo(scene, 2, result={"summary": "dropped 1 index"})
    after = run_view(scene.run_id, person=scene.people[Role.ONCALL]).rollback_progress
    assert after is not None
    assert after.undone > before.undone
    shown = text_of(scene)
    assert "How far the rollback is" in shown
    assert f"{after.undone} of {len(after.steps)} steps undone" in shown
    assert "dropped 1 index" in shown
    places = [step.place for step in after.steps]
    assert places == sorted(places, reverse=True)


def test_the_proof_at_the_end_names_every_step_that_was_undone() -> None:
    scene = panel.rolling_back()
    while scene.run.state == "rolling_back":
        number = next(n for n, state in enumerate(scene.states(), 1) if state == "undoing")
        undo(scene, number, result={"summary": f"took phase {number} back"})
        scene.work(number)
    assert scene.run.state == "rolled_back"
    shown = text_of(scene)
    assert "What was undone" in shown
    back = run_view(scene.run_id, person=scene.people[Role.ONCALL]).rollback_progress
    assert back is not None
    assert back.steps
    assert back.undone == len(back.steps)
    for step in back.steps:
        assert f"{step.place} {step.title} undone" in shown.replace("Undone", "undone")
        assert step.summary in shown


def test_steps_without_an_undo_are_not_counted_among_those_that_are_undone() -> None:
    scene = Scene.at_phase(3, panel.own_tables(control_plan()))  # its steps only look
    runs.roll_back_run(
        scene.run_id, typed_name=scene.run.name, person=scene.people[Role.ONCALL], how="web",
        step_up=step_up.prove(scene.people[Role.ONCALL], password=PASSWORD),
    )  # fmt: skip
    undo(scene, 2)
    back = run_view(scene.run_id, person=scene.people[Role.ONCALL]).rollback_progress
    assert back is not None
    assert back.steps == ()


def test_the_preview_names_steps_as_the_runs_page_does(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = panel.STATES["running"]()
    step = run_view(scene.run_id, person=scene.people[Role.ONCALL]).phases[0].steps[0]
    item = RollbackItem(
        phase=1, step=step.key, title=step.title, action="drops it", locks="none", rows=0, seconds=1.0
    )
    whole = RollbackPreview(items=(item,), rows=0, seconds=1.0, keeps=(), asks=(), data_decision="keep")
    monkeypatch.setattr(rollback, "preview", lambda _run_id: whole)
    assert step.place == "1.1"
    assert f"1.1 {step.title} drops it" in text_of(scene, "rollback")


def test_a_run_that_had_applied_nothing_says_so() -> None:
    scene = panel.rolling_back()
    StepRun.objects.filter(phase__run=scene.run_id).update(state="pending")
    assert "Nothing had been applied on the target" in text_of(scene)
