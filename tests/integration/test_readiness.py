"""The readiness checklist, and its day-before group as a gate."""

from __future__ import annotations

import pytest

from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import AuditEvent, ReadinessTick
from migration_runs.phases import Role
from migration_runs.services import readiness, verification
from tests.control import CLEAN, HOW, Scene, control_plan

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
    assert readiness.facts(at.run, plan) == {"approved": True, "verified": False}
    verification.record(at.run_id, CLEAN)
    assert readiness.facts(at.run, plan) == {"approved": True, "verified": True}


def test_unknown_item_is_refused_naming_those_that_are() -> None:
    at = scene()
    with pytest.raises(Refused, match="oncall_told, dashboards"):
        readiness.tick(at.run_id, item="nothing", person=at.people[Role.DBA], how=HOW)
