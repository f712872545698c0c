"""The start page: what waits for whom, by the very rules that the verbs enforce; as cheap with many runs."""

from __future__ import annotations

import re
from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from controlpanel.embedded_databases import ControlUrls
from migration_runs.engine.outcome import Outcome
from migration_runs.models import AuditEvent, PhaseRun, StepRun
from migration_runs.models.audit_event import WRONG
from migration_runs.phases import Role
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.start_page import LOOKED_AT, start_view
from migration_runs.selectors.start_views import StartView
from migration_runs.selectors.went_wrong import went_wrong
from migration_runs.services import audit, fleet, leases, people, runs, step_up, verification
from tests.control import (
    CLEAN,
    DIRTY,
    HOW,
    PASSWORD,
    WINDOW,
    Scene,
    control_plan,
    make_people,
    make_person,
)
from tests.integration import panel
from tests.integration.reading import client_of, text_of
from tests.plans import confirm_step

pytestmark = pytest.mark.usefixtures("control_db", "broker")

KINDS = {
    "draft": {Role.DBA: "submit"},
    "awaiting_approval": {Role.APPROVER: "sign"},
    "approved": {Role.DBA: "tick"},  # the checklist of the day before is what the start lacks
    "ready": {Role.DBA: "start"},
    "running": {},
    "failed": {Role.DBA: "retry"},
    "to_sign": {Role.DBA: "sign"},
    "paused": {Role.DBA: "resume"},
    "on_hold": {Role.DBA: "resume", Role.ONCALL: "resume"},  # the owner of the phase, and who held it
    "asking": {Role.ENGINEER: "confirm"},
    "monitored": {},
    "rolling_back": {},
    "cancelled": {},
}


def seen_by(scene: Scene, role: Role) -> StartView:
    return start_view(scene.people[role])


def test_every_state_of_a_run_was_thought_of() -> None:
    assert KINDS.keys() == panel.STATES.keys()


@pytest.mark.parametrize("state", sorted(KINDS))
def test_what_waits_waits_for_the_one_whose_it_is(state: str) -> None:
    scene = panel.STATES[state]()
    found = {role: [item.kind for item in seen_by(scene, role).waiting] for role in Role}
    assert found == {role: [KINDS[state][role]] if role in KINDS[state] else [] for role in Role}


@pytest.mark.parametrize("state", sorted(KINDS))
def test_the_button_leads_to_a_page_that_the_rules_have_open(state: str) -> None:
    scene = panel.STATES[state]()
    for role in KINDS[state]:
        client = client_of(scene.people[role])
        page = client.get("/admin/").content.decode()
        addresses = re.findall(r'class="pg-btn pg-btn--primary"\s+href="([^"]+)"', page)
        assert addresses, role
        answer = client.get(addresses[0].replace("&amp;", "&"))
        assert answer.status_code == 200
        assert "is not possible now" not in text_of(answer)


def test_a_role_that_many_have_waits_for_the_one_who_is_named() -> None:
    scene = panel.to_sign()
    second = make_person("dan", Role.DBA)
    assert [item.kind for item in seen_by(scene, Role.DBA).waiting] == ["sign"]
    assert start_view(second).waiting == ()


def test_what_the_named_one_may_not_do_waits_for_the_others_of_the_role() -> None:
    """The dba wrote the plan and never approves it; another dba may."""
    second = make_person("dan", Role.DBA)
    scene = Scene.submitted(panel.own_tables(control_plan(approvals=("approver", "dba"))))
    assert seen_by(scene, Role.DBA).waiting == ()
    assert [item.kind for item in start_view(second).waiting] == ["sign"]


def test_nothing_waits_for_an_account_that_lost_its_role() -> None:
    panel.to_sign()
    make_person("dora")  # takes the groups away
    person = User.objects.get(username="dora")
    assert start_view(person).waiting == ()
    assert not start_view(person).reads


def test_a_void_signature_says_so_and_why() -> None:
    scene = Scene.approved(panel.own_tables(control_plan()))
    scene.start(1)
    make_person("ada")
    make_person("ada", Role.APPROVER)
    scene.finish(1)
    scene.sign_phase(1)
    User.objects.filter(username="ada").update(is_active=False)
    with pytest.raises(Exception, match="hold"):
        scene.start(2)
    User.objects.filter(username="ada").update(is_active=True)
    [item] = [item for item in seen_by(scene, Role.APPROVER).waiting if item.kind == "sign"]
    assert "became void" in item.text
    assert "on hold" in item.text
    wrong = [event.headline for event in seen_by(scene, Role.APPROVER).wrong]
    assert any("became void" in headline for headline in wrong)
    assert not any("put on hold" in headline for headline in wrong)  # the hold is told by its cause


def test_the_start_of_cleanup_waits_for_the_approver_then_for_the_dba() -> None:
    scene = Scene.at_phase(9, panel.own_tables(control_plan()))
    assert seen_by(scene, Role.APPROVER).waiting[0].headline.startswith("Approve the start of phase 9")
    assert seen_by(scene, Role.DBA).waiting == ()
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, "start:9")
    assert seen_by(scene, Role.APPROVER).waiting == ()
    assert [item.kind for item in seen_by(scene, Role.DBA).waiting] == ["start"]
    verification.record(scene.run_id, DIRTY)  # which holds the run
    view = seen_by(scene, Role.DBA)
    assert [item.kind for item in view.waiting] == ["resume"]
    assert view.going[0].health_word == "hold"
    assert view.wrong[0].text.startswith("verification found")


def test_what_stopped_comes_first_and_the_oldest_first() -> None:
    ready, first, second, failed = panel.STATES["ready"](), panel.to_sign(), panel.to_sign(), panel.failed()
    found = [(item.kind, item.id) for item in seen_by(ready, Role.DBA).waiting]
    assert found == [
        ("retry", failed.run_id),
        ("sign", first.run_id),
        ("sign", second.run_id),
        ("start", ready.run_id),
    ]


# -- what runs, what went wrong, what comes


def test_a_running_step_shows_how_far_and_until_when() -> None:
    scene = panel.started(2)
    leases.claim(scene.phase(2).pk, worker="worker-1")
    began = timezone.now() - timedelta(seconds=10)
    StepRun.objects.filter(phase=scene.phase(2)).update(
        state="running", done=250_000, total=1_000_000, unit="rows", started_at=began
    )
    [going] = seen_by(scene, Role.AUDITOR).going
    assert (going.done, going.total) == (250_000, 1_000_000)
    assert going.words.startswith("250,000 of 1,000,000 rows")
    assert going.ends_word == "at this rate"
    assert going.ends_at is not None
    assert timedelta(seconds=25) < going.ends_at - timezone.now() < timedelta(seconds=60)
    assert going.health == "running"
    PhaseRun.objects.filter(pk=scene.phase(2).pk).update(lease_until=timezone.now() - timedelta(seconds=14))
    fleet.beat()
    [going] = seen_by(scene, Role.AUDITOR).going
    assert going.health_word.startswith("Worker lost 1")
    assert going.words.endswith(", as last told")
    assert going.ends_word == "as planned"


def test_monitoring_shows_its_rounds_and_a_check_that_failed() -> None:
    scene = Scene.at_phase(8, panel.own_tables(control_plan()))
    scene.start(8)
    scene.work(8, Outcome(status="waiting", waiting=WINDOW))
    fleet.beat()
    [going] = seen_by(scene, Role.ONCALL).going
    assert going.words == "round 0 of 2, none failed"
    assert going.ends_word == "if whole"
    while scene.run.state != "on_hold":
        scene.check_all("fail")
    view = seen_by(scene, Role.ONCALL)
    assert view.going[0].health == "on_hold"
    assert [item.kind for item in view.waiting] == ["resume"]
    assert "check failed: alive" in view.wrong[0].headline
    assert len(view.wrong) == 1  # not the hold again
    assert view.wrong[0].now.startswith("Now the run is on hold")


def test_what_failed_says_what_was_kept_and_what_became_of_it() -> None:
    scene = panel.failed()
    [wrong] = seen_by(scene, Role.AUDITOR).wrong
    assert wrong.headline.endswith("phase 2 failed")
    assert wrong.text == "no unique index. Kept: nothing."
    assert wrong.now == "Now phase 2 is failed, the run is in progress."
    runs.retry_phase(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    scene.work(2)
    scene.sign_phase(2)
    [wrong] = seen_by(scene, Role.AUDITOR).wrong
    assert wrong.now == "Now phase 2 is done, the run is in progress."


def test_differences_that_hold_nothing_are_told_once() -> None:
    scene = Scene.at_phase(6, panel.own_tables(control_plan()))
    for _ in range(3):
        verification.record(scene.run_id, DIRTY)
    [wrong] = seen_by(scene, Role.ONCALL).wrong
    assert wrong.headline.endswith("source and target not equal")
    assert wrong.text.startswith("verification found")


def test_the_way_back_counts_the_steps_that_the_runs_own_page_counts() -> None:
    reads = {"kind": "verify", "key": "equal", "title": "Both tables are equal"}
    scene = Scene.at_phase(5, panel.own_tables(control_plan({4: [reads]})))
    StepRun.objects.filter(phase__run=scene.run_id, phase__number__lt=5).update(state="done")
    person = scene.people[Role.ONCALL]
    front = start_view(person).front
    assert front is not None
    assert front.rollback.steps == run_view(scene.run_id, person=person).steps_applied


def test_a_rollback_and_a_refused_signature_are_told_in_sentences() -> None:
    scene = panel.to_sign()
    scene.sign(Role.DBA, "phase:2", approve=False, comment="counts differ")
    person = scene.people[Role.ONCALL]
    runs.roll_back_run(
        scene.run_id, typed_name=scene.run.name, step_up=step_up.prove(person, password=PASSWORD),
        person=person, how=HOW, reason="readers are slow",
    )  # fmt: skip
    headlines = [event.headline.partition(": ")[2] for event in seen_by(scene, Role.AUDITOR).wrong]
    assert headlines == ["rolled back by olga", "phase 2 failed", "dora refused to sign phase 2"]
    assert seen_by(scene, Role.AUDITOR).wrong[0].text.startswith("readers are slow. Nothing is lost")


def test_what_is_older_than_a_week_is_not_shown() -> None:
    panel.failed()
    now = timezone.now()
    assert went_wrong(now + timedelta(days=6))
    assert went_wrong(now + timedelta(days=8)) == ()


def test_coming_phases_name_their_owners_and_the_reader_is_you() -> None:
    scene = panel.STATES["ready"]()
    front = seen_by(scene, Role.ENGINEER).front
    assert front is not None
    assert [phase.phase.partition(" ")[0] for phase in front.coming] == list("23456789")
    assert [phase.phase for phase in front.coming if phase.yours] == ["5 code switch", "6 health checks"]
    assert {phase.owner for phase in front.coming if not phase.yours} == {"dora", "devi", "olga"}


def test_the_run_in_front_is_the_one_where_something_waits() -> None:
    waiting = panel.to_sign()
    panel.started(2)
    front = seen_by(waiting, Role.DBA).front
    assert front is not None
    assert front.id == waiting.run_id


def test_readiness_names_who_has_to_tick() -> None:
    scene = panel.STATES["approved"]()
    front = seen_by(scene, Role.AUDITOR).front
    assert front is not None
    assert front.readiness is not None
    assert [(item.text, item.person) for item in front.readiness.missing] == [
        ("Space for the backup", "dora")
    ]
    assert [(g.title, g.word) for g in front.readiness.groups][:2] == [
        ("Approvers", "nothing asked"),
        ("Day before", "in progress"),
    ]


# -- who looks


def test_who_has_no_role_is_told_whom_to_ask_and_learns_of_no_run() -> None:
    scene = panel.failed()
    make_person("root", superuser=True)
    shown = text_of(client_of(make_person("nora")).get("/admin/"))
    assert "You have no role yet" in shown
    assert "Ask root" in shown
    assert scene.run.name not in shown
    assert "Went wrong" not in shown
    live = client_of(User.objects.get(username="nora")).get("/admin/migration_runs/run/start/live/")
    assert scene.run.name not in text_of(live)


def test_an_administrator_reads_and_has_nothing_to_sign() -> None:
    scene = panel.to_sign()
    shown = text_of(client_of(make_person("root", superuser=True)).get("/admin/"))
    assert "You are an administrator" in shown
    assert "Nothing waits for you" in shown
    assert scene.run.name in shown


def test_without_a_run_the_page_leads_to_the_first_one_or_says_what_will_come() -> None:
    six = make_people()
    assert "New run" in text_of(client_of(six[Role.DBA]).get("/admin/"))
    shown = text_of(client_of(six[Role.ONCALL]).get("/admin/"))
    assert "New run" not in shown
    assert "appears here" in shown


@pytest.mark.parametrize("role", list(Role))
def test_the_guide_says_what_a_role_owns_and_where_to_start(role: Role) -> None:
    scene = panel.STATES["ready"]()
    guide = seen_by(scene, role).guide
    assert guide.title == f"You are the {role.value}"
    assert guide.start
    client = client_of(scene.people[role])
    page = client.get("/admin/").content.decode()
    kv = page.partition('id="guide-h"')[2].partition("</section>")[0]
    addresses = re.findall(r'<a href="([^"]+)"', kv)
    assert len(addresses) >= 2
    assert all(client.get(address).status_code == 200 for address in addresses)


# -- as cheap with many runs


def many(count: int) -> Scene:
    scenes = [
        panel.STATES[("ready", "to_sign", "awaiting_approval", "approved", "failed")[n % 5]]()
        for n in range(count)
    ]
    return scenes[-1]


def queries_of(client: Client, address: str) -> int:
    client.get(address)  # reads plans and permissions for the first time
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_the_page_costs_the_same_queries_however_many_runs_there_are() -> None:
    scene = many(5)
    monitored = panel.monitored()
    client = client_of(scene.people[Role.DBA])
    addresses = ("/admin/", "/admin/migration_runs/run/start/live/")
    few = [queries_of(client, address) for address in addresses]
    many(LOOKED_AT)
    panel.asking()
    Scene.at_phase(9, panel.own_tables(control_plan()))
    # One more, however many there are: it counts those that are left out.
    assert [queries_of(client, address) for address in addresses] == [count + 1 for count in few]
    view = start_view(scene.people[Role.DBA])
    assert view.left_out > 0
    assert monitored.run.name in {going.name for going in view.going}  # those under way come first


def test_what_went_wrong_is_found_by_its_index_among_many_events(control_db: ControlUrls) -> None:
    actor = people.worker_actor("filler")
    with transaction.atomic():
        for _ in range(2000):
            audit.append(actor=actor, action="phase.finish", object="a phase")
    query = AuditEvent.objects.filter(action__in=WRONG, at__gte=timezone.now() - timedelta(days=7))
    with psycopg.connect(control_db.owner_url, autocommit=True) as owner:
        owner.execute("ANALYZE migration_runs_auditevent")
    assert "audit_event_wrong" in query.order_by("-seq")[:40].explain()


def test_confirm_steps_that_were_confirmed_wait_for_nobody() -> None:
    scene = panel.started(5, control_plan({5: [confirm_step("asked")]}))
    assert seen_by(scene, Role.ENGINEER).waiting == ()
