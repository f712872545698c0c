"""Lists of signatures and plans: read, in the words of the other pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from migration_runs.models import SignOff
from migration_runs.phases import Role
from migration_runs.services import sign_offs
from tests.integration import panel
from tests.integration.reading import as_role, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")


def test_signatures_are_told_by_gate_state_and_time_with_their_run() -> None:
    scene = panel.to_sign()
    sign_offs.sign(
        scene.run_id, gate="phase:2", role=None, digest=scene.run.plan_id, approve=False, comment="not yet",
        person=scene.people[Role.DBA], how="web", step_up=None,
    )  # fmt: skip
    client = as_role(scene, Role.AUDITOR)
    page = client.get(reverse("admin:migration_runs_signoff_changelist"))
    shown = text_of(page)
    assert "Home &rsaquo; Signatures" in shown
    assert "2 schema validation" in shown
    assert "phase:2" not in shown
    only = text_of(client.get(reverse("admin:migration_runs_signoff_changelist") + "?gate=phase:1"))
    assert "refused" not in only.partition("Filter")[0]
    assert "1 preflight" in only.partition("Filter")[0]
    assert "refused" in shown
    assert "<time datetime=" in page.content.decode()
    assert f'/run/{scene.run_id}/change/">{scene.run.name}</a>' in page.content.decode()
    refused = SignOff.objects.get(approved=False)
    one = text_of(client.get(reverse("admin:migration_runs_signoff_change", args=[refused.pk])))
    assert "not yet" in one
    assert scene.run.plan_id in one


def test_plans_name_the_runs_that_have_them() -> None:
    scene = panel.draft()
    page = as_role(scene, Role.AUDITOR).get(reverse("admin:migration_runs_storedplan_changelist"))
    assert f">{scene.run.name}</a>" in page.content.decode()
    digest = scene.run.plan_id
    assert f"{digest[:4]} {digest[4:8]} {digest[8:12]}" in text_of(page)
    assert "Home &rsaquo; Plans" in text_of(page)
