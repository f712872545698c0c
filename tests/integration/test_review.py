"""Reading a plan before signing it: risks, the target as it is, what differs from the last plan, the form."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import SignOff
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.selectors import review
from migration_runs.selectors.review_views import ReviewView
from migration_runs.selectors.run_page import run_view
from tests import runs as tables
from tests.control import PASSWORD, Scene, control_plan
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role
from tests.plans import sql_step

pytestmark = pytest.mark.usefixtures("control_db", "broker")


def page(scene: Scene, role: Role = Role.APPROVER) -> str:
    content = as_role(scene, role).get(url("plan", scene.run_id)).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", content))


@pytest.fixture
def scene() -> Scene:
    return Scene.submitted(panel.own_tables(control_plan()))


def review_of(scene: Scene) -> ReviewView:
    return review.review_of(run_view(scene.run_id, person=scene.people[Role.APPROVER]))


@pytest.mark.parametrize(
    ("texts", "strongest"),
    [
        ([], ""),
        (["none", "catalog rows only"], ""),
        (
            ["ACCESS SHARE on a", "SHARE ROW EXCLUSIVE on both tables, for milliseconds"],
            "SHARE ROW EXCLUSIVE",
        ),
        (["ROW EXCLUSIVE on the target, ACCESS SHARE on the source"], "ROW EXCLUSIVE"),
        (["row locks in chunks; ACCESS EXCLUSIVE on both tables at the end"], "ACCESS EXCLUSIVE"),
        (["SHARE UPDATE EXCLUSIVE", "SHARE"], "SHARE"),
    ],
)
def test_the_strongest_lock_is_the_one_that_conflicts_most(texts: list[str], strongest: str) -> None:
    assert review.strongest_lock(texts) == strongest


def test_a_target_that_cannot_be_asked_is_said_and_the_plan_is_still_readable(scene: Scene) -> None:
    found = review_of(scene).target
    assert found is not None
    assert "cannot be asked" in found.problem
    assert "cannot be asked" in page(scene)


def test_rows_and_schema_come_from_the_target_as_it_is_now(target: TargetUrls) -> None:
    tables.make_tables(target.runner_url, rows=7)
    chunks = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}
    settle = {"kind": "copy", "key": "settle", "title": "settle", "part": "settle"}
    scene = Scene.submitted(control_plan({4: [chunks, settle]}))
    found = review_of(scene).target
    assert found is not None
    assert found.problem == ""
    assert found.rows == 7
    assert len(found.schema) == 64
    assert found.schema[:4] in page(scene)


def test_the_first_plan_has_nothing_to_be_compared_with(scene: Scene) -> None:
    assert review_of(scene).before is None
    assert "first plan of this runbook" in page(scene)


def test_a_plan_is_compared_with_that_of_the_run_before(scene: Scene) -> None:
    plan = panel.own_tables(control_plan({4: [sql_step("extra", "SELECT 42", undo="SELECT 43")]}))
    later = Scene.submitted(plan)
    before = review_of(later).before
    assert before is not None
    assert (before.run_name, before.own) == (scene.run.name, False)
    assert ("step", "4.extra", "added") in [(part.group, part.name, part.change) for part in before.parts]
    shown = page(later)
    assert f"Changed since the plan of {scene.run.name}" in shown
    assert "+ SELECT 42" in shown


def test_a_draft_that_was_never_submitted_is_no_last_plan() -> None:
    Scene.draft(panel.own_tables(control_plan()))
    assert review_of(Scene.submitted(panel.own_tables(control_plan()))).before is None


def changing_without_undo() -> Plan:
    return panel.own_tables(control_plan({5: [sql_step("reset", "SELECT pg_stat_reset()")]}))


def test_steps_without_undo_are_named_with_their_reason() -> None:
    scene = Scene.submitted(changing_without_undo())
    (step,) = review_of(scene).no_undo
    assert (step.place, step.why) == ("5.1", "a test")
    assert "1 step without undo" in page(scene)
    assert not next(phase for phase in review_of(scene).phases if phase.number == 5).reversible


# -- the decision


def sign(client: Client, scene: Scene, decision: str, **given: str) -> int:
    address = f"{url('act', scene.run_id, 'sign')}?gate=plan&role=approver"
    data = {"digest": scene.run.plan_id, "decision": decision} | given
    return client.post(address, data).status_code


def test_the_form_is_there_for_who_may_sign_and_for_nobody_else(scene: Scene) -> None:
    assert "Your decision" in page(scene, Role.APPROVER)
    for role in (Role.DBA, Role.ENGINEER, Role.ONCALL, Role.AUDITOR):
        assert "Your decision" not in page(scene, role)
    assert "Take it back" in page(scene, Role.DBA)  # its author


def test_a_plan_is_signed_on_the_page_where_it_is_read(scene: Scene) -> None:
    client = as_role(scene, Role.APPROVER)
    shown = client.get(url("plan", scene.run_id)).content.decode()
    assert f'action="{url("act", scene.run_id, "sign")}?gate=plan&amp;role=approver"' in shown
    assert sign(client, scene, "approve", password=PASSWORD) == 422  # not said to be read
    assert not SignOff.objects.exists()


def test_sending_back_asks_for_a_comment_and_for_nothing_else(scene: Scene) -> None:
    client = as_role(scene, Role.APPROVER)
    assert sign(client, scene, "refuse") == 422
    assert scene.run.state == "awaiting_approval"
    assert sign(client, scene, "refuse", comment="Name the locks.") == 302
    assert scene.run.state == "draft"
    assert "Name the locks." in page(scene)
