"""An open page that asks every two seconds gets an empty answer while nothing has happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from migration_runs.models import LogLine, PhaseRun, StepRun
from migration_runs.phases import Role
from migration_runs.selectors import live_stamp
from migration_runs.services import leases, runs, verification_passes
from tests.control import HOW, Scene
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role

pytestmark = pytest.mark.usefixtures("control_db", "broker")

POLL_QUERIES = 5
NOW = "migration_runs.selectors.live_stamp.time.time"


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time stands still, so that only what happened tells."""
    monkeypatch.setattr(NOW, lambda: 1_000_000.0)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("page", ["live", "monitoring_live"])
def test_nothing_new_costs_five_queries_and_draws_nothing(page: str) -> None:
    scene = panel.to_sign()
    client = as_role(scene, Role.AUDITOR)
    seen = live_stamp.stamp_of(scene.run_id)
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(url(page, scene.run_id), {"seen": seen})
    assert answer.status_code == 204
    assert answer.content == b""
    assert len(caught) <= POLL_QUERIES, [query["sql"] for query in caught]
    drawn = client.get(url(page, scene.run_id), {"seen": "another"})
    assert drawn.status_code == 200
    assert f"seen={seen}" in drawn.content.decode()


def log_line(scene: Scene) -> None:
    LogLine.objects.create(run=scene.run, phase=2, step="", level="info", text="something")


def step(scene: Scene) -> None:
    StepRun.objects.filter(phase__run=scene.run, phase__number=2).update(done=4)


def lease(scene: Scene) -> None:
    leases.claim(scene.phase(2).pk, worker="w")


def hold(scene: Scene) -> None:
    runs.hold_run(scene.run_id, reason="wait", person=scene.people[Role.DBA], how=HOW)


def waiting(scene: Scene) -> None:
    PhaseRun.objects.filter(run=scene.run, number=2).update(waiting={"text": "for a lock"})


def look_trouble(scene: Scene) -> None:
    verification_passes.trouble(scene.run_id, "there is no such table")


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("happens", [log_line, step, lease, hold, waiting, look_trouble])
def test_whatever_happens_to_the_run_is_drawn(happens: Callable[[Scene], None]) -> None:
    scene = panel.started(2)
    other = panel.started(2)
    before, elsewhere = live_stamp.stamp_of(scene.run_id), live_stamp.stamp_of(other.run_id)
    happens(scene)
    assert live_stamp.stamp_of(scene.run_id) != before
    assert live_stamp.stamp_of(other.run_id) == elsewhere


def test_a_busy_page_is_drawn_anew_sooner_than_an_idle_one(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, idle = panel.started(2), panel.cancelled()
    monkeypatch.setattr(NOW, lambda: 1_000_020.0)
    before = live_stamp.stamp_of(busy.run_id), live_stamp.stamp_of(idle.run_id)
    monkeypatch.setattr(
        "migration_runs.selectors.live_stamp.time.time", lambda: 1_000_020.0 + live_stamp.BUSY_S
    )
    after = live_stamp.stamp_of(busy.run_id), live_stamp.stamp_of(idle.run_id)
    assert before[0] != after[0]
    assert before[1] == after[1]
