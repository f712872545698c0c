"""Creating and submitting runs: what is wrong is said, and nothing is changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from controlpanel.embedded_databases import TargetUrls
from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import AuditEvent, Run, StepRun, StoredPlan
from migration_runs.phases import PHASES, Role
from migration_runs.services import actions, evidence, plan_store, plans, runs
from tests.control import HOW, Scene, control_plan, make_people, make_person

pytestmark = pytest.mark.django_db

GIVEN: dict[str, Any] = {"runbook_slug": "dxy_1m", "target": "bars", "data_decision": "delete", "how": HOW}


def create(**changes: Any) -> Run:
    author = changes.pop("author", None) or make_people()[Role.DBA]
    return plans.create_run(author=author, **(GIVEN | changes))


def test_shipped_runbook_becomes_a_draft_with_phases_steps_people_and_slots() -> None:
    start = timezone.now() + timedelta(days=1)
    run = create(planned_start=start)
    assert run.state == "draft"
    assert run.phases.count() == 9
    plan = plan_store.plan_of(run.plan_id)
    assert plan.digest == run.plan_id
    assert StepRun.objects.filter(phase__run=run).count() == sum(len(p.steps) for p in plan.runbook.phases)
    assert {row.role: row.person.username for row in run.assignments.all()} == {
        "approver": "ada", "dba": "dora", "engineer": "emil", "devops": "devi", "oncall": "olga",
        "auditor": "udo",
    }  # fmt: skip
    slots = [phase.planned_start - start for phase in run.phases.order_by("number")]
    assert slots == [phase.slot_start for phase in PHASES]


def test_phase_9_is_planned_after_the_window_on_the_clock_of_the_run() -> None:
    run = create(clock_speed=24.0)
    eight, nine = run.phases.filter(number__gte=8).order_by("number")
    assert nine.planned_start - eight.planned_start == timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runbook_slug": "nothing"}, "no runbook 'nothing'"),
        ({"target": "elsewhere"}, "no target 'elsewhere'"),
        ({"data_decision": "perhaps"}, "'keep' or 'delete'"),
        ({"parameters": {"nonsense": 1}}, "no parameter 'nonsense'"),
        ({"clock_speed": 0.5}, "from 1 on"),
    ],
)
def test_senseless_run_is_refused_and_leaves_nothing_but_the_event(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        create(**changes)
    assert not Run.objects.exists()
    assert not StoredPlan.objects.exists()
    assert [event.action for event in AuditEvent.objects.all()] == ["refused.create"]


@pytest.mark.parametrize("role", [Role.DEVOPS, Role.ONCALL, Role.AUDITOR])
def test_role_that_does_not_plan_writes_no_run(role: Role) -> None:
    with pytest.raises(NotAllowed):
        create(author=make_people()[role])


def test_role_without_a_person_or_with_several_has_to_be_named() -> None:
    people = make_people()
    make_person("ode", Role.ONCALL)
    with pytest.raises(Refused, match="Name a person for the role oncall: ode, olga"):
        create()
    with pytest.raises(Refused, match="udo cannot be the run's oncall"):
        create(assignments={Role.ONCALL: people[Role.AUDITOR]})
    create(assignments={"oncall": people[Role.ONCALL]})
    make_person("udo")
    with pytest.raises(Refused, match="Nobody has the role auditor"):
        create(assignments={"oncall": people[Role.ONCALL]}, author=people[Role.DBA])


def test_second_run_on_the_same_table_is_refused_until_the_first_is_over() -> None:
    first = Scene.submitted()
    with pytest.raises(Refused, match=r"small-\d+ \(awaiting approval\) works on public"):
        Scene.draft()
    runs.cancel_run(first.run_id, person=first.people[Role.DBA], how=HOW)
    Scene.draft()


def test_of_two_drafts_on_one_table_one_is_submitted() -> None:
    first, second = Scene.draft(), Scene.draft()
    runs.submit_run(first.run_id, person=first.people[Role.DBA], how=HOW)
    with pytest.raises(Refused, match="Two runs on one table"):
        runs.submit_run(second.run_id, person=second.people[Role.DBA], how=HOW)
    assert second.run.state == "draft"


def test_runs_on_two_targets_do_not_meet() -> None:
    Scene.submitted()
    other = control_plan().model_copy(update={"target": "staging"})
    assert Scene.submitted(other).run.state == "awaiting_approval"


def test_draft_is_revised_by_its_author_alone_and_freezes_anew() -> None:
    run = create()
    before = run.plan_id
    with pytest.raises(NotAllowed):
        runs.revise_run(run.pk, data_decision="keep", person=make_people()[Role.ENGINEER], how=HOW)
    runs.revise_run(run.pk, data_decision="keep", person=run.author, how=HOW)
    run.refresh_from_db()
    assert run.data_decision == "keep"
    assert run.plan_id != before
    runs.submit_run(run.pk, person=run.author, how=HOW)
    with pytest.raises(IllegalMove, match="Withdraw it first"):
        runs.revise_run(run.pk, data_decision="delete", person=run.author, how=HOW)


def test_stored_plan_with_another_digest_is_not_used() -> None:
    run = Scene.draft().run
    forged = StoredPlan.objects.create(
        digest="f" * 64, slug="small", body=run.plan.body | {"target": "staging"}, created_by=run.author
    )
    with pytest.raises(Refused, match="is not what was signed"):
        plan_store.plan_of(forged.digest)


def test_offers_cost_a_constant_number_of_queries() -> None:
    early, late = (
        Scene.at_phase(2),
        Scene.at_phase(8, control_plan(slug="other").model_copy(update={"target": "staging"})),
    )
    for scene in (early, late):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            actions.allowed_actions(scene.run, scene.people[Role.DBA])
        assert len(queries) <= 15


def test_evidence_of_a_real_target_binds_its_schema(bars_target: TargetUrls) -> None:
    run = create()
    plan = plan_store.plan_of(run.plan_id)
    found = evidence.collect(run, plan)
    assert found == evidence.collect(run, plan)
    with psycopg.connect(bars_target.owner_url) as conn:
        conn.execute("ALTER TABLE data_bars ADD COLUMN surprise text")
    changed = evidence.collect(run, plan)
    assert changed.identity == found.identity
    assert changed.schema != found.schema


def test_app_role_that_is_the_owner_is_found_at_start_up(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("check", "--tag", "security", "--database", "default")
    app_role = settings.DATABASES["default"]["USER"]
    monkeypatch.setitem(settings.DATABASES["owner"], "USER", app_role)
    with pytest.raises(SystemCheckError, match="log in as the same role"):
        call_command("check", "--tag", "security", "--database", "default")


def test_time_of_the_rules_that_is_not_positive_is_found_at_start_up(settings: Any) -> None:
    settings.PHASEGATE_SIGN_OFF_SECONDS = 0
    with pytest.raises(SystemCheckError, match="PHASEGATE_SIGN_OFF_SECONDS must be greater than 0"):
        call_command("check")
