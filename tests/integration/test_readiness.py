"""The readiness checklist, and its day-before group as a gate."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction

from migration_runs.engine.outcome import Outcome
from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import AuditEvent, ReadinessTick, StepRun
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.readiness import groups_of, readiness_of
from migration_runs.selectors.readiness_views import ReadinessView
from migration_runs.services import readiness, runs, step_up, verification
from tests.control import CLEAN, HOW, PASSWORD, Scene, control_plan

pytestmark = pytest.mark.django_db

ITEMS = [
    {"key": "oncall_told", "group": "day_before", "text": "On-call knows the slot", "role": "oncall"},
    {
        "key": "approved",
        "group": "day_before",
        "text": "Plan approved",
        "role": "approver",
        "automatic": "approved",
    },
    {"key": "verified", "group": "after", "text": "Verified", "role": "dba", "automatic": "verified"},
    {"key": "dashboards", "group": "day_of", "text": "Dashboards open", "role": "dba"},
]


def scene() -> Scene:
    return Scene.approved(control_plan(readiness=ITEMS))


def known(at: Scene, plan: Plan) -> dict[str, bool]:
    return {name: fact.so for name, fact in readiness.facts(at.run, plan).items()}


def test_run_does_not_start_before_the_day_before_group_is_complete() -> None:
    at = scene()
    with pytest.raises(Refused, match="On-call knows the slot"):
        at.start(1)
    assert at.run.state == "approved"
    readiness.tick(
        at.run_id, item="oncall_told", person=at.people[Role.ONCALL], how=HOW, evidence="mail of 9:12"
    )
    at.start(1)
    assert at.phase(1).state == "running"


def test_item_is_ticked_by_its_role_once_and_told_in_the_audit() -> None:
    at = scene()
    with pytest.raises(NotAllowed):
        readiness.tick(at.run_id, item="oncall_told", person=at.people[Role.DBA], how=HOW)
    readiness.tick(at.run_id, item="oncall_told", person=at.people[Role.ONCALL], how=HOW)
    with pytest.raises(IllegalMove, match="already"):
        readiness.tick(at.run_id, item="oncall_told", person=at.people[Role.ONCALL], how=HOW)
    assert ReadinessTick.objects.filter(run_id=at.run_id).count() == 1
    assert AuditEvent.objects.filter(run_id=at.run_id, action="readiness.tick").count() == 1


def test_automatic_item_is_nobodys_to_tick_and_follows_its_fact() -> None:
    at = scene()
    with pytest.raises(Refused, match="by the panel itself"):
        readiness.tick(at.run_id, item="verified", person=at.people[Role.DBA], how=HOW)
    plan = control_plan(readiness=ITEMS)
    assert known(at, plan) == {"approved": True, "verified": False}
    verification.record(at.run_id, CLEAN)
    assert known(at, plan) == {"approved": True, "verified": True}


def roll_back(at: Scene) -> None:
    olga = at.people[Role.ONCALL]
    runs.roll_back_run(
        at.run_id,
        typed_name=at.run.name,
        step_up=step_up.prove(olga, password=PASSWORD),
        person=olga,
        how=HOW,
    )
    at.work(1)
    assert at.run.state == "rolled_back"


def test_what_is_for_afterwards_is_ticked_when_the_run_is_completed_or_rolled_back() -> None:
    late = {"key": "lessons", "group": "after", "text": "Lessons are written", "role": "dba"}
    at = Scene.at_phase(2, control_plan(readiness=[late]))
    dora = at.people[Role.DBA]
    with pytest.raises(IllegalMove, match="completed or rolled back"):
        readiness.tick(at.run_id, item="lessons", person=dora, how=HOW)
    seen = next(view for view in _views(at, dora) if view.key == "lessons")
    assert (seen.may_tick, seen.later) == (False, True)
    roll_back(at)
    readiness.tick(at.run_id, item="lessons", person=dora, how=HOW)
    assert AuditEvent.objects.get(run_id=at.run_id, action="readiness.tick").detail["text"] == late["text"]


BACKUP = {"key": "backup", "group": "day_of", "text": "Backup", "role": "dba", "automatic": "backup_done"}


def test_what_was_signed_before_a_rollback_stays_ticked() -> None:
    plan = control_plan(readiness=[ITEMS[1], BACKUP])
    at = Scene.at_phase(2, plan)
    StepRun.objects.filter(phase=at.phase(1)).update(kind="backup", state="done")
    assert known(at, plan) == {"approved": True, "backup_done": True}
    StepRun.objects.filter(phase=at.phase(1)).update(state="undone")
    roll_back(at)
    assert known(at, plan) == {"approved": True, "backup_done": True}


def test_what_was_begun_failed_and_was_undone_is_not_ticked() -> None:
    plan = control_plan(readiness=[BACKUP])
    at = Scene.at_phase(1, plan)
    at.start(1)
    at.work(1, Outcome(status="failed", error="the disk is full", kept="nothing", next_step="make room"))
    StepRun.objects.filter(phase=at.phase(1)).update(kind="backup", state="undone")
    roll_back(at)
    assert known(at, plan) == {"backup_done": False}


def test_unknown_item_is_refused_naming_those_that_are() -> None:
    at = scene()
    with pytest.raises(Refused, match="oncall_told, dashboards"):
        readiness.tick(at.run_id, item="nothing", person=at.people[Role.DBA], how=HOW)


def test_a_tick_is_taken_back_with_a_reason_by_its_role_and_the_item_is_open_again() -> None:
    at = scene()
    oncall = at.people[Role.ONCALL]
    readiness.tick(at.run_id, item="oncall_told", person=oncall, how=HOW)
    with pytest.raises(NotAllowed):
        readiness.untick(at.run_id, item="oncall_told", reason="no", person=at.people[Role.DBA], how=HOW)
    with pytest.raises(Refused, match="Say why"):
        readiness.untick(at.run_id, item="oncall_told", reason=" ", person=oncall, how=HOW)
    readiness.untick(at.run_id, item="oncall_told", reason="the slot moved", person=oncall, how=HOW)
    with pytest.raises(Refused, match="On-call knows the slot"):
        at.start(1)
    with pytest.raises(IllegalMove, match="is not ticked"):
        readiness.untick(at.run_id, item="oncall_told", reason="again", person=oncall, how=HOW)
    readiness.tick(at.run_id, item="oncall_told", person=oncall, how=HOW, evidence="told again")
    item = next(v for v in _views(at, oncall) if v.key == "oncall_told")
    assert (item.ticked, item.evidence, item.may_untick) == (True, "told again", True)
    assert [(back.by, back.void_by, back.reason) for back in item.taken_back] == [
        ("olga", "olga", "the slot moved")
    ]
    event = AuditEvent.objects.get(run_id=at.run_id, action="readiness.untick")
    assert event.detail == {"text": "On-call knows the slot", "ticked_by": "olga", "reason": "the slot moved"}
    at.start(1)


def test_what_the_panel_ticks_says_from_what_and_since_when() -> None:
    at = scene()
    views = {view.key: view for view in _views(at, at.people[Role.DBA])}
    assert views["approved"].known_from == "the signatures on the plan"
    assert views["approved"].at == at.run.sign_offs.get().at
    assert views["verified"].at is None
    assert not views["approved"].may_untick
    verification.record(at.run_id, CLEAN)
    views = {view.key: view for view in _views(at, at.people[Role.DBA])}
    assert views["verified"].at is not None
    assert "comparison" in views["verified"].known_from


def test_groups_say_what_is_missing_and_whose_it_is() -> None:
    at = scene()
    groups = {group.key: group for group in groups_of(_views(at, at.people[Role.ONCALL]))}
    assert list(groups) == ["approvers", "day_before", "day_of", "after"]
    assert groups["approvers"].items == ()
    before = groups["day_before"]
    assert (before.gates, before.ticked, before.complete) == (True, 1, False)
    assert [(item.key, item.person, item.may_tick) for item in before.missing] == [
        ("oncall_told", "olga", True)
    ]
    assert not groups["day_of"].missing[0].may_tick


def test_a_tick_cannot_be_changed_past_the_service() -> None:
    at = scene()
    tick = readiness.tick(at.run_id, item="oncall_told", person=at.people[Role.ONCALL], how=HOW)
    with pytest.raises(DatabaseError, match=r"append-only|denied"), transaction.atomic():
        ReadinessTick.objects.filter(pk=tick.pk).update(evidence="other")
    with pytest.raises(IntegrityError, match="ticked_once"), transaction.atomic():
        ReadinessTick.objects.create(run=at.run, item="oncall_told", person=at.people[Role.ONCALL])


def _views(at: Scene, person: User) -> tuple[ReadinessView, ...]:
    return readiness_of(at.run, at_plan(at), person, named={Role.ONCALL: "olga", Role.DBA: "dora"})


def at_plan(at: Scene) -> Plan:
    return Plan.from_json(at.run.plan.body)
