"""Who is told what: each event reaches exactly those whom it concerns, once, and nobody else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from migration_runs import delivery
from migration_runs.engine.outcome import Outcome, Waiting
from migration_runs.exceptions import Refused
from migration_runs.models import DueCheck, Notification
from migration_runs.phases import Role
from migration_runs.selectors.run_page import run_view
from migration_runs.services import (
    checks,
    gates,
    handover,
    leases,
    outbox,
    progress,
    runs,
    step_up,
    telling,
    verification,
)
from tests.control import (
    CLEAN,
    DIRTY,
    EVIDENCE,
    HOW,
    PASSWORD,
    WINDOW,
    Scene,
    check_outcome,
    control_plan,
    make_person,
)
from tests.integration import panel
from tests.plans import confirm_step

pytestmark = pytest.mark.django_db

Told = set[tuple[str, str, bool]]
FAILURE = Outcome(status="failed", error="no unique index", kept="nothing", next_step="make one")


@pytest.fixture(autouse=True)
def by_email(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "NOTIFY_EMAIL", True)


class News:
    """What was written since it was last asked: kind, receiver, whether something is wanted of them."""

    def __init__(self) -> None:
        self._seen = Notification.objects.aggregate(last=Max("id"))["last"] or 0

    def __call__(self) -> Told:
        rows = list(Notification.objects.filter(pk__gt=self._seen).order_by("id").select_related("person"))
        self._seen = rows[-1].pk if rows else self._seen
        told = [(row.kind, row.receiver, row.asks) for row in rows]
        assert len(told) == len(set(told)), f"somebody was told twice: {told}"
        return set(told)


def in_window(*, hours: int = 24) -> Scene:
    """A run in its window, whose checks are due at once when a test says so."""
    scene = Scene.at_phase(8, control_plan(hours=hours, clock_speed=3600.0))
    scene.start(8)
    scene.work(8, Outcome(status="waiting", waiting=WINDOW))
    return scene


def fail_a_check(scene: Scene) -> None:
    """The next check of the window is due, and fails."""
    due = DueCheck.objects.filter(window__run=scene.run_id, state="pending").order_by("due_at").first()
    assert due is not None
    checks.record_check(due.pk, check_outcome(due.pk, "fail"))


# -- approval


def test_submitting_asks_the_approver_alone() -> None:
    scene, news = Scene.draft(), News()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert news() == {("sign_off", "ada", True)}


def test_the_author_is_never_asked_to_approve() -> None:
    scene = Scene.draft()
    make_person("dora", Role.DBA, Role.APPROVER)
    scene.run.assignments.filter(role="approver").update(person=scene.people[Role.DBA])
    news = News()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert news() == {("sign_off", "ada", True)}


def test_a_complete_approval_is_the_owners_turn() -> None:
    scene, news = Scene.submitted(), News()
    scene.sign(Role.APPROVER)
    assert news() == {("turn", "dora", True)}


def test_the_first_of_two_approvals_tells_nobody() -> None:
    scene, news = Scene.submitted(control_plan(approvals=["approver", "oncall"])), News()
    scene.sign(Role.APPROVER)
    assert news() == set()


def test_a_plan_that_is_sent_back_is_its_authors_turn() -> None:
    scene, news = Scene.submitted(), News()
    runs.send_back_run(scene.run_id, comment="too short", person=scene.people[Role.APPROVER], how=HOW)
    assert news() == {("turn", "dora", True)}


def test_submitting_the_same_plan_again_asks_again() -> None:
    scene = Scene.submitted()
    runs.withdraw_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    news = News()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert news() == {("sign_off", "ada", True)}


def test_an_approval_that_became_void_is_asked_of_whoever_can_give_it() -> None:
    scene = Scene.approved()
    make_person("alan", Role.APPROVER)
    scene.people[Role.APPROVER].groups.clear()
    news = News()
    with pytest.raises(Refused):
        scene.start(1)
    assert news() == {("sign_off", "alan", True)}


# -- phases


def test_a_phase_tells_nobody_while_it_needs_nobody() -> None:
    scene = Scene.approved()
    news = News()
    scene.start(1)
    assert news() == set()


def test_a_finished_phase_asks_for_its_signatures() -> None:
    scene = panel.started(2)
    news = News()
    scene.work(2)
    assert news() == {("sign_off", "dora", True)}


def test_a_signed_phase_is_the_turn_of_the_next_ones_owner_and_news_to_the_author() -> None:
    scene = panel.started(5)
    scene.work(5)
    news = News()
    scene.sign_phase(5)
    assert news() == {("turn", "emil", True), ("phase_done", "dora", False)}


def test_who_signs_is_not_told_that_it_is_signed() -> None:
    scene = panel.started(4)
    scene.work(4)
    news = News()
    scene.sign_phase(4)
    assert news() == {("turn", "emil", True)}


def test_a_failed_phase_asks_its_owner_and_tells_author_approver_and_oncall() -> None:
    scene = panel.started(5)
    news = News()
    scene.work(5, FAILURE)
    assert news() == {
        ("failed", "emil", True), ("failed", "ada", False), ("failed", "olga", False),
        ("failed", "dora", False),
    }  # fmt: skip


def test_a_second_failure_is_another_fact() -> None:
    scene = panel.failed()
    runs.retry_phase(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    news = News()
    scene.work(2, FAILURE)
    assert ("failed", "dora", True) in news()


def test_a_refused_signature_is_told_as_a_failure_but_not_to_who_refused() -> None:
    scene = panel.started(7)
    scene.work(7)
    news = News()
    scene.sign(Role.ENGINEER, "phase:7", approve=False, comment="not deployed", step_up=None)
    told = news()
    assert ("failed", "devi", True) in told
    assert "emil" not in {name for _, name, _ in told}


def test_a_step_that_waits_for_a_word_asks_for_it_once() -> None:
    scene = panel.started(5, control_plan({5: [confirm_step("asked")]}))
    news = News()
    waiting = Outcome(
        status="waiting", waiting=Waiting(step="asked", kind="confirmation", text="for the word")
    )
    for _ in range(2):
        phase = scene.phase(5)
        token = leases.claim(phase.pk, worker="worker-1")
        assert token is not None
        progress.record_outcome(phase.pk, token=token, outcome=waiting)
    assert news() == {("turn", "emil", True)}


# -- holds and checks


def test_a_watch_that_is_handed_over_is_the_named_persons_turn() -> None:
    scene = in_window()
    news = News()
    handover.hand_over(scene.run_id, to=scene.people[Role.DBA], person=scene.people[Role.ONCALL], how=HOW)
    assert news() == {("turn", "dora", True)}
    body = Notification.objects.latest("id").body
    assert "What is wanted of you (by name): Read the handover card and its notes, then take over." in body


def test_what_arrived_does_not_hide_what_happened_on_the_runs_page() -> None:
    scene = Scene.draft()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    row = Notification.objects.get()
    Notification.objects.update(state="sending", attempts=1)
    outbox.record_sent(row.pk, attempt=1, worker="w")
    assert scene.run.audit_events.filter(action="notify.sent").exists()
    shown = [event.action for event in run_view(scene.run_id, person=scene.people[Role.DBA]).events]
    assert "run.submit" in shown
    assert "notify.sent" not in shown


def test_a_persons_hold_is_news_to_the_others_alone() -> None:
    scene = panel.started(2)
    news = News()
    runs.hold_run(scene.run_id, reason="lag", person=scene.people[Role.ONCALL], how=HOW)
    assert news() == {("hold", "ada", False), ("hold", "dora", False)}


def test_a_failed_check_is_one_message_to_each_and_oncalls_to_act_on() -> None:
    scene = in_window()
    news = News()
    fail_a_check(scene)
    assert news() == {("check", "olga", True), ("check", "ada", False), ("check", "dora", False)}


def test_a_missed_check_is_one_message_to_each() -> None:
    scene = in_window()
    news = News()
    window = scene.run.windows.get()
    late = timezone.now() - timedelta(hours=1)
    # The rows' times are fixed; the checks are judged by the database's clock, so one is put into the past.
    DueCheck.objects.create(
        window=window, check_key="alive", round=999, due_at=late, late_after=late + timedelta(seconds=1)
    )
    assert checks.mark_missed()
    assert news() == {("check", "olga", True), ("check", "ada", False), ("check", "dora", False)}


def test_checks_that_go_on_failing_during_the_hold_are_told_once_to_oncall() -> None:
    scene = in_window()
    fail_a_check(scene)
    news = News()
    fail_a_check(scene)
    assert news() == {("check", "olga", True)}
    fail_a_check(scene)
    assert news() == set()


def test_who_took_the_watch_without_the_role_is_told_what_oncall_is_told() -> None:
    scene = in_window()
    emil = scene.people[Role.ENGINEER]
    card = handover.hand_over(scene.run_id, to=emil, person=scene.people[Role.ONCALL], how=HOW)
    news = News()
    fail_a_check(scene)
    assert ("check", "emil", False) not in news()  # it is offered, not taken
    handover.take_over(scene.run_id, number=card.number, person=emil, how=HOW)
    news = News()
    fail_a_check(scene)
    assert news() == {("check", "olga", True), ("check", "emil", False)}


def test_a_check_that_fails_during_a_persons_hold_is_told_as_a_hold_by_a_check() -> None:
    scene = in_window()
    runs.hold_run(scene.run_id, reason="lag", person=scene.people[Role.ONCALL], how=HOW)
    news = News()
    fail_a_check(scene)
    assert news() == {("check", "olga", True), ("check", "ada", False), ("check", "dora", False)}


def test_a_verification_that_finds_differences_is_told_as_the_hold_that_it_causes() -> None:
    scene = in_window()
    news = News()
    verification.record(scene.run_id, DIRTY)
    assert news() == {("check", "olga", True), ("check", "ada", False), ("check", "dora", False)}


def test_differences_before_the_window_are_told_once_until_a_clean_pass() -> None:
    scene = Scene.at_phase(6, control_plan())
    verification.record(scene.run_id, CLEAN)
    news = News()
    verification.record(scene.run_id, DIRTY)
    assert news() == {("check", "olga", True), ("check", "ada", False), ("check", "dora", False)}
    assert scene.run.state == "in_progress"
    verification.record(scene.run_id, DIRTY)
    verification.record(scene.run_id, DIRTY, kind="touched")
    assert news() == set()
    for kind in ("full", "touched"):
        verification.record(scene.run_id, CLEAN, kind=kind)
    verification.record(scene.run_id, DIRTY)
    assert ("check", "olga", True) in news()


def test_drift_asks_for_the_plan_to_be_signed_again() -> None:
    scene = Scene.approved()
    scene.go_through(1)
    news = News()
    other = dataclasses.replace(EVIDENCE, identity="8000000000000000000:bars")
    with pytest.raises(Refused):
        scene.start(2, evidence=other)
    assert scene.run.state == "on_hold"
    # The author, who tried to start it, has seen the refusal.
    assert news() == {("hold", "ada", True), ("hold", "olga", True)}


# -- the end


def test_the_way_out_of_the_window_to_completion() -> None:
    scene = Scene.at_phase(8)
    scene.start(8)
    news = News()
    scene.finish(8)
    assert news() == {("sign_off", "olga", True)}
    scene.sign_phase(8)
    assert news() == {("cleanup", "ada", True), ("cleanup", "dora", False)}
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, gates.start_gate(9))
    assert news() == {("turn", "dora", True)}
    scene.start(9)
    scene.finish(9)
    assert news() == {("sign_off", "ada", True)}
    scene.sign_phase(9)
    assert news() == {("completed", "dora", False), ("completed", "olga", False)}


def test_a_rollback_is_told_when_it_begins_and_when_it_ends() -> None:
    scene = Scene.at_phase(2)
    news = News()
    person = scene.people[Role.ONCALL]
    proof = step_up.prove(person, password=PASSWORD)
    runs.roll_back_run(scene.run_id, typed_name=scene.run.name, step_up=proof, person=person, how=HOW)
    assert news() == {("rollback", "ada", False), ("rollback", "dora", False)}
    scene.work(1)
    assert scene.run.state == "rolled_back"
    assert news() == {("rollback", "ada", False), ("rollback", "dora", False), ("rollback", "olga", False)}


def test_an_undo_that_failed_asks_the_dba() -> None:
    scene = Scene.at_phase(2)
    person = scene.people[Role.ONCALL]
    proof = step_up.prove(person, password=PASSWORD)
    runs.roll_back_run(scene.run_id, typed_name=scene.run.name, step_up=proof, person=person, how=HOW)
    news = News()
    scene.work(1, FAILURE)
    assert news() == {("failed", "dora", True), ("failed", "ada", False), ("failed", "olga", False)}


# -- whom a role means


def test_a_role_whose_person_lost_it_means_everybody_who_has_it() -> None:
    scene = panel.started(2)
    scene.people[Role.ONCALL].groups.clear()
    make_person("otto", Role.ONCALL)
    make_person("omar", Role.ONCALL)
    news = News()
    scene.work(2, FAILURE)
    told = {name for _, name, _ in news()}
    assert {"otto", "omar"} <= told
    assert "olga" not in told


def test_an_account_that_is_switched_off_is_told_nothing() -> None:
    scene = panel.started(2)
    User.objects.filter(username="olga").update(is_active=False)
    news = News()
    scene.work(2, FAILURE)
    assert "olga" not in {name for _, name, _ in news()}


def test_nothing_is_written_where_nobody_is_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "NOTIFY_EMAIL", False)
    Scene.submitted()
    assert not Notification.objects.exists()


def test_what_is_rolled_back_is_told_to_nobody() -> None:
    scene, news = Scene.draft(), News()
    with transaction.atomic():
        runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
        assert news()
        transaction.set_rollback(True)
    assert not Notification.objects.filter(run=scene.run_id).exists()


# -- chats


def test_every_chat_hears_what_concerns_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "NOTIFY_EMAIL", False)
    urls = {"NOTIFY_URLS": ("json://a", "json://b"), "NOTIFY_URLS_ONCALL": ("json://c",)}
    monkeypatch.setattr(settings, "NOTIFY_URLS", urls)
    scene, news = Scene.draft(), News()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert news() == {("sign_off", "NOTIFY_URLS 1", True), ("sign_off", "NOTIFY_URLS 2", True)}
    scene.sign(Role.APPROVER)
    scene.start(1)
    news()
    scene.work(1, FAILURE)
    assert {to for _, to, _ in news()} == {"NOTIFY_URLS 1", "NOTIFY_URLS 2", "NOTIFY_URLS_ONCALL 1"}


# -- words


def newest(person: str) -> Notification:
    return Notification.objects.filter(person__username=person).order_by("id").last() or pytest.fail(
        "nothing"
    )


def test_a_message_says_what_is_wanted_until_when_who_else_knows_and_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "PUBLIC_URL", "https://panel.example.org/phasegate")
    scene = panel.started(5)
    scene.work(5)
    scene.sign_phase(5)
    name = scene.run.name
    asked, informed = newest("emil"), newest("dora")
    assert asked.subject == f"Start phase 6 (health checks) of {name}"
    assert "Phase 5 (code switch) is done." in asked.body
    assert "What is wanted of you (engineer): Start phase 6 (health checks)." in asked.body
    assert "Planned for " in asked.body
    assert "Also told: dora (author)." in asked.body
    text = delivery.text_of(asked)
    assert text.endswith(
        f"https://panel.example.org/phasegate/admin/migration_runs/run/{scene.run_id}/change/\n"
    )
    assert informed.subject == f"Phase 5 (code switch) of {name} is done"
    assert "Nothing is wanted of you" in informed.body


def test_what_people_typed_cannot_become_a_header_or_steer_a_terminal() -> None:
    scene = panel.started(2)
    reason = "lag\r\nBcc: everybody@example.org\x1b[2J {{ settings.SECRET_KEY }} %s <b>&\u202e"
    runs.hold_run(scene.run_id, reason=reason, person=scene.people[Role.ONCALL], how=HOW)
    message = newest("ada")
    assert "\n" not in message.subject
    assert not set("\r\x1b\u202e") & set(message.body)
    assert "{{ settings.SECRET_KEY }} %s <b>&" in message.body


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\r\nBcc: x", "a Bcc: x"), ("a\x00b\x85c\u2028d", "a b c d"), ("  a \t b ", "a b"), ("ä €", "ä €")],
)
def test_a_subject_is_one_line(text: str, line: str) -> None:
    assert telling.one_line(text) == line


def test_a_long_reason_is_cut() -> None:
    scene = panel.started(2)
    runs.hold_run(scene.run_id, reason="x" * 100_000, person=scene.people[Role.ONCALL], how=HOW)
    assert len(newest("ada").body) < 4000


EVENTS: dict[str, Callable[[], Scene]] = {
    "failed": panel.failed, "to_sign": panel.to_sign, "on_hold": panel.held, "asking": panel.asking,
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
def test_no_message_has_an_empty_part(event: str) -> None:
    EVENTS[event]()
    for row in Notification.objects.all():
        assert row.subject
        assert "\n\n\n" not in row.body
        assert "None" not in row.body
        assert ": ." not in row.body
