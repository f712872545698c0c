"""Who may move which value of the copy, when, and what is kept of it; the hold that critical load brings."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from migration_runs.chunk_reporting import ChunkReporter
from migration_runs.exceptions import IllegalMove, LeaseLost, NotAllowed, Refused
from migration_runs.models import Adjustment, AuditEvent, PhaseRun, StepRun
from migration_runs.phases import Role
from migration_runs.reporting import ControlReporter
from migration_runs.selectors.run_page import run_view
from migration_runs.services import adjusting, holding, leases, runs
from tests.control import HOW, Scene, control_plan

pytestmark = pytest.mark.django_db

CHUNKS = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}
COPYING: dict[str, Any] = {
    "workers": {"value": 2, "min": 1, "max": 4},
    "max_active_sessions": {"value": 40, "min": 10, "max": 80},
    "max_lock_waiters": 3,
}
PLAN = {4: [CHUNKS]}


class Held:
    """A hold that is never lost."""

    good_for = 30.0

    def check(self) -> None:
        """Go on."""


@pytest.fixture
def scene() -> Scene:
    """An approved run whose copy is to come."""
    return Scene.approved(control_plan(PLAN, copying=COPYING))


def adjust(scene: Scene, role: Role = Role.DBA, comment: str = "month-end", **values: str) -> None:
    runs.adjust(scene.run_id, values=values, comment=comment, person=scene.people[role], how=HOW)


def test_a_change_is_kept_with_who_why_and_both_values(scene: Scene) -> None:
    adjust(scene, Role.ONCALL, max_active_sessions="20")
    adjust(scene, Role.DEVOPS, max_active_sessions="80", workers="4", comment="the closing is over")
    assert adjusting.current(scene.run_id) == {"max_active_sessions": 80, "workers": 4}
    events = AuditEvent.objects.filter(run_id=scene.run_id, action="run.adjust").order_by("seq")
    assert [(e.actor, e.detail["name"], e.detail["from"], e.detail["to"]) for e in events] == [
        ("olga", "max_active_sessions", 40, 20),
        ("devi", "max_active_sessions", 20, 80),
        ("devi", "workers", 2, 4),
    ]
    assert events[1].detail["comment"] == "the closing is over"
    shown = {row.name: row for row in run_view(scene.run_id, person=scene.people[Role.AUDITOR]).settings}
    assert (shown["workers"].value, shown["workers"].signed, shown["workers"].changed_by) == (4, 2, "devi")
    assert (shown["workers"].lowest, shown["workers"].highest) == (1, 4)


@pytest.mark.parametrize("role", [Role.APPROVER, Role.ENGINEER, Role.AUDITOR])
def test_others_may_not(scene: Scene, role: Role) -> None:
    with pytest.raises(NotAllowed, match="Adjusting the copy is for the role dba or devops or oncall"):
        adjust(scene, role, workers="1")
    assert AuditEvent.objects.filter(action="refused.adjust", actor=scene.people[role].username).count() == 1
    assert not Adjustment.objects.exists()


def test_a_superuser_without_the_role_may_not(scene: Scene) -> None:
    root = User.objects.create_superuser("root", password="x" * 20)
    with pytest.raises(NotAllowed):
        runs.adjust(scene.run_id, values={"workers": "1"}, comment="I can", person=root, how=HOW)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"workers": "5"}, "workers was signed for 1 to 4 workers; 5 is outside"),
        ({"max_active_sessions": "9"}, "was signed for 10 to 80 sessions; 9 is outside"),
        ({"max_active_sessions": "nan"}, "nan is outside"),
        ({"max_active_sessions": "inf"}, "inf is outside"),
        ({"max_active_sessions": "10.5"}, "10.5 is no whole number"),
        ({"max_active_sessions": "many"}, "'many' is none"),
        ({"max_lock_waiters": "5"}, "max_lock_waiters is fixed by the signed plan"),
        ({"no_such": "5"}, "no_such is fixed"),
        ({}, "Say what"),
        ({"workers": "1", "max_active_sessions": "9"}, "9 is outside"),
    ],
)
def test_what_was_not_signed_is_refused_whole(scene: Scene, values: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        runs.adjust(scene.run_id, values=values, comment="month-end", person=scene.people[Role.DBA], how=HOW)
    assert not Adjustment.objects.exists()


def test_the_copy_waits_before_it_holds_the_run() -> None:
    """Both values lie inside their own bounds; together they would never let the copy wait."""
    both = {**COPYING, "critical_active_sessions": {"value": 60, "min": 20, "max": 100}}
    scene = Scene.approved(control_plan(PLAN, copying=both))
    adjust(scene, max_active_sessions="60")
    refused = pytest.raises(Refused, match="critical_active_sessions would be below max_active_sessions")
    with refused:
        adjust(scene, critical_active_sessions="59")
    with refused:
        adjust(scene, max_active_sessions="61")
    adjust(scene, max_active_sessions="30", critical_active_sessions="59")
    assert adjusting.current(scene.run_id) == {"max_active_sessions": 30, "critical_active_sessions": 59}


def test_a_reason_is_asked_for(scene: Scene) -> None:
    with pytest.raises(Refused, match="Say why"):
        adjust(scene, comment="  ", workers="1")


def test_once_the_copy_is_done_there_is_nothing_to_adjust(scene: Scene) -> None:
    StepRun.objects.filter(phase__run=scene.run_id, key="chunks").update(state="done")
    with pytest.raises(IllegalMove, match="nothing to adjust"):
        adjust(scene, workers="1")
    view = run_view(scene.run_id, person=scene.people[Role.DBA])
    assert (view.settings, view.adjust) == ((), None)


def test_a_plan_without_bounds_lets_nobody_adjust() -> None:
    scene = Scene.approved(control_plan(PLAN, copying={"workers": 2}))
    with pytest.raises(Refused, match="lets nobody adjust"):
        adjust(scene, workers="1")
    assert run_view(scene.run_id, person=scene.people[Role.DBA]).adjust is None


def test_bounds_and_values_are_what_approvers_sign() -> None:
    wider = COPYING | {"workers": {"value": 2, "min": 1, "max": 5}}
    assert control_plan(PLAN, copying=COPYING).digest != control_plan(PLAN, copying=wider).digest


def test_what_was_adjusted_is_not_rewritten(scene: Scene) -> None:
    adjust(scene, workers="1")
    with pytest.raises(DatabaseError), transaction.atomic():
        Adjustment.objects.update(value=4)


def test_the_page_shows_the_values_and_its_form_moves_those_that_were_changed(scene: Scene) -> None:
    client = Client()
    client.force_login(scene.people[Role.ONCALL])
    page = client.get(reverse("admin:migration_runs_run_change", args=[scene.run_id])).content.decode()
    assert "Speed of the copy" in page
    assert "Waits while more sessions are active than" in page
    address = reverse("admin:migration_runs_run_act", args=[scene.run_id, "adjust"])
    form = client.get(address).content.decode()
    assert 'name="value_workers"' in form
    assert "10 to 80 sessions, signed 40" in form
    assert re.search(r'<input type="number" name="value_workers"[^>]* min="1.0" max="4.0"', form)
    given = {"value_workers": "2", "value_max_active_sessions": "25", "comment": "closing"}
    assert client.post(address, given).status_code == 302
    assert adjusting.current(scene.run_id) == {"max_active_sessions": 25}
    refused = client.post(address, given | {"value_workers": "9"})
    assert refused.status_code == 422
    assert "9 is outside" in refused.content.decode()


# -- what a worker hears and tells


def worker(scene: Scene) -> ControlReporter:
    """The worker of phase 4, which runs."""
    phase = scene.phase(4)
    token = leases.claim(phase.pk, worker="w1")
    assert token is not None
    return ControlReporter(scene.phase(4), token=token, hold=Held(), patience_s=1.0)


@pytest.fixture
def running() -> Scene:
    """A run whose copy is at work."""
    scene = Scene.at_phase(4, control_plan(PLAN, copying=COPYING))
    scene.start(4)
    return scene


def test_a_worker_hears_of_changes(running: Scene) -> None:
    reporter = worker(running)
    assert reporter.adjusted() == {}
    adjust(running, workers="1")
    assert reporter.adjusted() == {"workers": 1}


def test_critical_load_holds_the_run_once_with_its_reason_until_a_person_resumes(running: Scene) -> None:
    reporter = worker(running)
    assert not reporter.stop_requested()
    reporter.pause("critical load: 181 sessions are active (critical above 180)")
    reporter.pause("critical load: 190 sessions are active (critical above 180)")
    assert reporter.stop_requested()
    run = running.run
    assert (run.state, run.hold_kind, running.phase(4).state) == ("on_hold", "load", "pausing")
    assert run.hold_reason == "critical load: 181 sessions are active (critical above 180)"
    held = AuditEvent.objects.get(run=run, action="run.hold")
    assert (held.actor, held.detail["reason"]) == ("w1", run.hold_reason)
    view = run_view(run.pk, person=running.people[Role.ONCALL])
    assert view.next.headline == run.hold_reason
    with pytest.raises(IllegalMove):
        runs.resume_run(run.pk, person=running.people[Role.ONCALL], how=HOW)


def test_a_worker_whose_lease_is_gone_holds_nothing(running: Scene) -> None:
    phase = running.phase(4)
    with pytest.raises(LeaseLost):
        holding.hold_for_load(phase.pk, token=phase.token + 1, reason="critical", worker="w1")
    assert running.run.state == "in_progress"


def step_at_work(running: Scene) -> None:
    StepRun.objects.filter(phase=running.phase(4), key="chunks").update(state="running")


def live(running: Scene) -> str:
    """The live part of the run page."""
    client = Client()
    client.force_login(running.people[Role.ONCALL])
    page = client.get(reverse("admin:migration_runs_run_live", args=[running.run_id]))
    return page.content.decode()


def test_since_when_it_waits_is_kept_for_as_long_as_the_reason_holds(running: Scene) -> None:
    reporter = worker(running)
    step = StepRun.objects.get(phase=running.phase(4), key="chunks")
    reporter.progress("chunks", 1, 10, unit="rows", note="the standby pg2 is 7 s behind", waited_s=38)
    step.refresh_from_db()
    assert step.note_since is not None
    assert 36 < (timezone.now() - step.note_since).total_seconds() < 60
    shown = run_view(running.run_id, person=running.people[Role.DBA]).current.steps[0].slow_because
    assert shown.startswith(f"waiting since {step.note_since:%H:%M:%S} (")
    assert shown.endswith(" s): the standby pg2 is 7 s behind")
    ChunkReporter(running.phase(4), token=running.phase(4).token, hold=Held(), patience_s=1.0).progress(
        "chunks", 2, 10, unit="rows", note="something else"
    )
    step.refresh_from_db()
    assert (step.done, step.note) == (2, "the standby pg2 is 7 s behind")
    step_at_work(running)
    assert "<strong>Slowed on purpose:</strong> waiting since" in live(running)
    gone = timezone.now() - timedelta(seconds=14)
    PhaseRun.objects.filter(pk=running.phase(4).pk).update(lease_until=gone)
    assert "Slowed on purpose" not in live(running), "nobody is at it: that is no waiting"
    reporter.progress("chunks", 10, 10, unit="rows")
    step.refresh_from_db()
    assert step.note == ""
    assert step.note_since is None
