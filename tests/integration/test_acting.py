"""What can be done in the panel, and what is refused there: each verb through its form, crafted ones too."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from controlpanel.embedded_databases import ControlUrls
from migration_runs import menu
from migration_runs.models import AuditEvent, Run, SignOff
from migration_runs.phases import Role
from migration_runs.services import audit
from tests.control import PASSWORD, Scene, control_plan, make_people, make_person
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role, client_of, control_digest, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")

NEW = "/admin/migration_runs/run/add/"


def refusals() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action__startswith="refused.").order_by("seq"))


# -- nobody edits, adds or deletes rows in the admin


@pytest.mark.parametrize("who", ["root", "dora"])
def test_runs_signatures_plans_and_audit_cannot_be_edited_in_the_admin(who: str) -> None:
    scene = Scene.approved(panel.own_tables(control_plan()))
    root = make_person("root", superuser=True)
    client = client_of(root if who == "root" else scene.people[Role.DBA])
    rows = {
        "run": scene.run_id,
        "signoff": SignOff.objects.get(run=scene.run).pk,
        "storedplan": scene.run.plan_id,
        "auditevent": AuditEvent.objects.latest("seq").pk,
    }
    before = control_digest()
    for model, pk in rows.items():
        base = f"/admin/migration_runs/{model}/"
        form = {
            "state": "completed",
            "approved": "",
            "action": "delete_selected",
            "_selected_action": str(pk),
            "post": "yes",
        }
        for path in (f"{pk}/delete/", f"{pk}/change/", "add/", f"{pk}/"):
            status = client.post(f"{base}{path}", form).status_code
            wanted = {403, 404, 405}
            if path == f"{pk}/":
                wanted = {302, 404}  # leads to the change page, which refuses
            elif (model, path, who) == ("run", "add/", "dora"):
                wanted = {422}  # our own page, which has not been filled
            assert status in wanted, (model, path, status)
        assert client.post(base, form).status_code in {200, 302, 403, 405}
    assert control_digest() == before


# -- a POST is a request that a service may refuse


def test_a_post_without_the_token_is_refused_with_a_page_of_our_own() -> None:
    scene = panel.draft()
    answer = client_of(scene.people[Role.DBA], csrf=True).post(url("act", scene.run_id, "submit"))
    assert answer.status_code == 403
    assert "The form was too old" in answer.content.decode()
    assert scene.run.state == "draft"


@pytest.mark.parametrize("verb", sorted(set(menu.MENU) - {"roll_back"}))
def test_a_crafted_post_of_a_verb_that_is_not_offered_is_refused_and_audited(verb: str) -> None:
    scene = panel.started(2)
    phase_before = scene.phase(2).state
    auditor = as_role(scene, Role.AUDITOR)
    answer = auditor.post(
        url("act", scene.run_id, verb) + "?gate=phase:2",
        {"password": PASSWORD, "comment": "crafted", "digest": scene.run.plan_id},
    )
    assert answer.status_code in {302, 422}
    refused = refusals()
    assert [event.actor for event in refused] == ["udo"]
    assert refused[0].actor_how == "web"
    assert (scene.run.state, scene.phase(2).state) == ("in_progress", phase_before)


def test_a_crafted_rollback_is_refused_and_audited() -> None:
    scene = panel.started(2)
    given = {"typed_name": scene.run.name, "password": PASSWORD}
    answer = as_role(scene, Role.ENGINEER).post(url("rollback", scene.run_id), given)
    assert answer.status_code == 422
    assert [(e.actor, e.action) for e in refusals()] == [("emil", "refused.roll_back")]
    assert scene.run.state == "in_progress"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?gate=phase:2&role=king", "There is no role"),
        ("?gate=attic", "There is no gate"),
        ("?gate=phase:7", "not waiting"),
    ],
)
def test_a_crafted_gate_or_role_is_refused_politely(query: str, reason: str) -> None:
    scene = panel.to_sign()
    given = {"password": PASSWORD, "digest": scene.run.plan_id}
    answer = as_role(scene, Role.DBA).post(url("act", scene.run_id, "sign") + query, given)
    assert answer.status_code == 422
    assert reason in text_of(answer)


def test_roles_are_neither_made_changed_nor_deleted_in_the_admin() -> None:
    scene = panel.draft()
    root = client_of(make_person("root", superuser=True))
    role = Group.objects.get(name="oncall")
    base = "/admin/auth/group/"
    before = control_digest()
    assert root.get(base).status_code == 200
    assert "delete_selected" not in root.get(base).content.decode()
    crafted = {"action": "delete_selected", "_selected_action": str(role.pk), "post": "yes", "name": "king"}
    root.post(base, crafted)
    for path in ("add/", f"{role.pk}/change/", f"{role.pk}/delete/"):
        assert root.post(f"{base}{path}", crafted).status_code == 403, path
    assert control_digest() == before
    assert scene.people[Role.ONCALL].groups.get() == role


def test_each_verb_says_what_was_done() -> None:
    assert len({verb.done for verb in menu.MENU.values()}) == len(menu.MENU)
    scene = panel.started(2)
    client = as_role(scene, Role.ONCALL)
    page = client.post(url("act", scene.run_id, "hold"), {"comment": "lag"}, follow=True)
    assert menu.MENU["hold"].done in text_of(page)


def test_who_may_not_roll_back_is_led_to_the_preview_alone() -> None:
    scene = panel.started(2)
    may = as_role(scene, Role.ONCALL).get(url("plan", scene.run_id)).content.decode()
    assert "Roll back…" in may
    may_not = as_role(scene, Role.AUDITOR).get(url("plan", scene.run_id)).content.decode()
    assert "Roll back…" not in may_not
    assert "Rollback preview" in may_not


def test_a_double_click_starts_once_and_the_second_is_told_so() -> None:
    scene = Scene.at_phase(2, panel.own_tables(control_plan()))
    client = as_role(scene, Role.DBA)
    address = url("act", scene.run_id, "start") + "?phase=2"
    client.post(address)
    second = client.post(address, follow=True)
    assert "Phase 2 of" in text_of(second)
    assert "was started already" in text_of(second)
    assert AuditEvent.objects.filter(action="phase.start", object__startswith="phase 2 ").count() == 1
    assert scene.phase(2).attempt == 1


def test_a_verb_that_is_not_possible_now_shows_why_and_no_form() -> None:
    scene = panel.draft()
    page = as_role(scene, Role.ONCALL).get(url("act", scene.run_id, "hold"))
    assert "Hold the run is not possible now" in text_of(page)
    assert "<textarea" not in page.content.decode()
    assert 'name="decision"' not in page.content.decode()
    scene = panel.started(2)
    page = as_role(scene, Role.ONCALL).get(url("act", scene.run_id, "hold"))
    assert "<textarea" in page.content.decode()


def test_phases_out_of_order_are_refused() -> None:
    scene = Scene.at_phase(2, panel.own_tables(control_plan()))
    answer = as_role(scene, Role.DBA).post(url("act", scene.run_id, "start") + "?phase=4", follow=True)
    assert "Phases go in order" in text_of(answer)
    assert scene.states()[1:4] == ["ready", "pending", "pending"]


def test_signing_asks_for_the_password_and_binds_the_digest_that_was_read() -> None:
    scene = panel.to_sign()
    client = as_role(scene, Role.DBA)
    address = url("act", scene.run_id, "sign") + "?gate=phase:2&role=dba"
    form = client.get(address)
    assert f'name="digest" value="{scene.run.plan_id}"' in form.content.decode()
    digest = scene.run.plan_id
    assert "password is not right" in text_of(client.post(address, {"password": "wrong", "digest": digest}))
    assert "This field is required" in text_of(client.post(address, {"digest": digest}))
    assert "has changed since" in text_of(client.post(address, {"password": PASSWORD, "digest": "0" * 64}))
    assert scene.phase(2).state == "awaiting_sign_off"
    assert [event.action for event in refusals()] == ["refused.step_up", "refused.sign"]
    done = client.post(address, {"password": PASSWORD, "digest": digest, "comment": "read"})
    assert done.status_code == 302
    assert scene.phase(2).state == "done"
    assert AuditEvent.objects.filter(action="sign_off.approve", actor="dora", actor_how="web").count() == 1


def test_a_signature_is_refused_with_a_comment_and_without_a_password() -> None:
    scene = panel.to_sign()
    client = as_role(scene, Role.DBA)
    address = url("act", scene.run_id, "sign") + "?gate=phase:2&role=dba"
    given = {"decision": "refuse", "digest": scene.run.plan_id}
    assert "needs a comment" in text_of(client.post(address, given))
    assert client.post(address, given | {"comment": "counts differ"}).status_code == 302
    assert scene.phase(2).state == "failed"
    assert "counts differ" in scene.phase(2).error


def test_each_verb_is_reached_from_the_run_page_by_who_may() -> None:
    """The button's form or link is on the page, and posting it does what it says."""
    submit = panel.draft()
    _press(submit, Role.DBA, "submit")
    assert submit.run.state == "awaiting_approval"
    _press(submit, Role.APPROVER, "send_back", comment="say more")
    assert submit.run.state == "draft"
    _press(submit, Role.DBA, "submit")
    _press(submit, Role.DBA, "withdraw", comment="later")
    assert submit.run.state == "draft"
    _press(submit, Role.DBA, "cancel", comment="not now")
    assert submit.run.state == "cancelled"
    drive = Scene.at_phase(2, panel.own_tables(control_plan()))
    _press(drive, Role.DBA, "start")
    assert drive.phase(2).state == "running"
    _press(drive, Role.DBA, "pause")
    assert drive.phase(2).state == "paused"
    _press(drive, Role.DBA, "resume")
    assert drive.phase(2).state == "running"
    _press(drive, Role.ONCALL, "hold", comment="lag")
    assert drive.run.state == "on_hold"
    _press(drive, Role.ONCALL, "resume", comment="gone")
    _press(drive, Role.DBA, "pause_now")
    assert drive.phase(2).state == "paused"
    broken = panel.failed()
    _press(broken, Role.DBA, "retry")
    assert broken.phase(2).state == "running"
    copied = Scene.at_phase(5, panel.own_tables(control_plan()))
    _press(copied, Role.DBA, "verify")
    assert AuditEvent.objects.filter(action="verification.request", run=copied.run).count() == 1


def _press(scene: Scene, role: Role, verb: str, **typed: str) -> None:
    client = as_role(scene, role)
    page = client.get(url("change", scene.run_id)).content.decode()
    found = re.search(rf'(?:href|action)="({re.escape(url("act", scene.run_id, verb))}[^"]*)"', page)
    assert found is not None, f"no button for {verb}"
    answer = client.post(found[1].replace("&amp;", "&"), typed)
    assert answer.status_code == 302, text_of(answer)


def test_a_button_that_is_not_for_the_reader_is_locked_and_says_why() -> None:
    scene = panel.to_sign()
    page = as_role(scene, Role.AUDITOR).get(url("change", scene.run_id))
    content = page.content.decode()
    assert "is for the role dba" in text_of(page)
    assert 'type="button" disabled' in content
    assert 'method="post" action="/admin/migration_runs' not in content


def test_the_sign_off_matrix_has_the_button_for_who_may_sign_and_for_nobody_else() -> None:
    scene = panel.to_sign()
    address = url("act", scene.run_id, "sign") + "?gate=phase%3A2&amp;role=dba&amp;phase=2"
    for role in Role:
        page = as_role(scene, role).get(url("change", scene.run_id)).content.decode()
        matrix = page[page.index('id="so-h"') :]
        assert (address in matrix) == (role == Role.DBA), role


def test_a_confirmation_keeps_the_evidence_and_its_form_is_for_its_role() -> None:
    scene = panel.asking()
    address = url("confirm", scene.run_id, 5, "asked")
    assert address not in as_role(scene, Role.DBA).get(url("change", scene.run_id)).content.decode()
    client = as_role(scene, Role.ENGINEER)
    assert address in client.get(url("change", scene.run_id)).content.decode()
    as_role(scene, Role.DBA).post(address, {"evidence": "mine"})
    bad = client.post(address, {"evidence": "nul \x00 byte"}, follow=True)
    assert "Null characters are not allowed" in text_of(bad)
    assert not AuditEvent.objects.filter(action="step.confirm").exists()
    client.post(address, {"evidence": "build 4711"})
    event = AuditEvent.objects.get(action="step.confirm")
    assert (event.actor, event.detail["evidence"]) == ("emil", "build 4711")
    assert "Confirmed by emil: build 4711" in text_of(client.get(url("live", scene.run_id)))


def test_readiness_is_ticked_by_its_role_alone() -> None:
    scene = panel.draft()
    address = url("tick", scene.run_id, "space")
    assert address not in as_role(scene, Role.ENGINEER).get(url("readiness", scene.run_id)).content.decode()
    as_role(scene, Role.ENGINEER).post(address, {})
    assert not scene.run.ticks.exists()
    client = as_role(scene, Role.DBA)
    assert address in client.get(url("readiness", scene.run_id)).content.decode()
    client.post(address, {"evidence": "df -h"})
    assert [(t.item, t.person.username, t.evidence) for t in scene.run.ticks.all()] == [
        ("space", "dora", "df -h")
    ]


def test_rolling_back_wants_the_name_and_the_password() -> None:
    scene = Scene.at_phase(3, panel.own_tables(control_plan()))
    client = as_role(scene, Role.ONCALL)
    address = url("rollback", scene.run_id)
    assert "cannot be computed" in text_of(client.get(address))  # the target is away, and the page says so
    assert "type the run's name" in text_of(
        client.post(address, {"typed_name": "other", "password": PASSWORD})
    ).replace("&#x27;", "'")
    given = {"typed_name": scene.run.name, "comment": "wrong numbers"}
    assert "password is not right" in text_of(client.post(address, given | {"password": "wrong"}))
    assert scene.run.state == "in_progress"
    assert client.post(address, given | {"password": PASSWORD}).status_code == 302
    assert scene.run.state == "rolling_back"
    event = AuditEvent.objects.get(action="run.roll_back")
    assert event.detail["reason"] == "wrong numbers"


def test_a_new_run_is_written_on_its_page_by_who_may() -> None:
    people = make_people()
    given = {"runbook": "dxy_1m", "target": "bars", "data_decision": "keep", "clock_speed": "1"}
    assert client_of(people[Role.ENGINEER]).post(NEW, given).status_code in {302, 403}
    client = client_of(people[Role.AUDITOR])
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, given).status_code == 403
    before = Run.objects.count()
    writer = client_of(people[Role.DBA])
    bad = writer.post(NEW, given | {"target": "moon"})
    assert bad.status_code == 422
    assert Run.objects.count() == before
    assert writer.post(NEW, given).status_code == 302
    run = Run.objects.latest("id")
    assert (run.slug, run.target, run.data_decision, run.state, run.author.username) == (
        "dxy_1m", "bars", "keep", "draft", "dora",
    )  # fmt: skip


def test_a_role_that_several_people_have_is_given_to_one_of_them() -> None:
    people = make_people()
    make_person("oscar", Role.ONCALL)
    writer = client_of(people[Role.DBA])
    given = {"runbook": "dxy_1m", "target": "bars", "data_decision": "keep", "clock_speed": "1"}
    assert "Who is the oncall" in text_of(writer.get(NEW))
    assert writer.post(NEW, given).status_code == 422
    chosen = User.objects.get(username="oscar")
    assert writer.post(NEW, given | {"person_oncall": str(chosen.pk)}).status_code == 302
    assert Run.objects.get().assignments.get(role="oncall").person == chosen


def test_people_without_a_role_see_no_run() -> None:
    scene = panel.draft()
    nobody = make_person("nina")
    for address in panel.addresses(scene.run):
        assert client_of(nobody).get(address).status_code in {403, 405}, address
    assert Client().get(url("change", scene.run_id)).status_code == 302


def test_pages_that_are_not_there_say_so_in_our_words() -> None:
    people = make_people()
    client = client_of(people[Role.DBA])
    for address in (url("change", 4711), url("act", 4711, "start"), "/admin/migration_runs/nothing/"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "There is no such page" in text_of(answer)
    forbidden = client_of(people[Role.AUDITOR]).get(NEW)
    assert forbidden.status_code == 403
    assert "lacks the permission" in text_of(forbidden)


def test_the_trail_of_a_day_of_clicks_is_whole(control_db: ControlUrls) -> None:
    scene = panel.draft()
    _press(scene, Role.DBA, "submit")
    as_role(scene, Role.AUDITOR).post(url("act", scene.run_id, "cancel"), {"comment": "crafted"})
    found = audit.verify()
    assert found.intact
    assert found.events == AuditEvent.objects.count()
