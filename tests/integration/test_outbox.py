"""The outbox: every message leaves once, or is tried again and given up; and the trail tells of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from migration_runs import sending, sweeper
from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import AuditEvent, Notification
from migration_runs.phases import Role
from migration_runs.services import audit, outbox, runs
from migration_runs.sweeper import Hint
from tests.control import HOW, Scene, make_person
from tests.receivers import MailServer, mail_server

pytestmark = pytest.mark.usefixtures("control_db", "broker")

State = Notification.State


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server that the panel sends to."""
    with mail_server() as server:
        point_at(server.port, monkeypatch)
        yield server


def point_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "NOTIFY_EMAIL", True)
    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
    monkeypatch.setattr(settings, "EMAIL_HOST", "127.0.0.1")
    monkeypatch.setattr(settings, "EMAIL_PORT", port)
    monkeypatch.setattr(settings, "DEFAULT_FROM_EMAIL", "Phasegate <phasegate@example.org>")
    monkeypatch.setattr(settings, "PUBLIC_URL", "https://panel.example.org")


def one_message() -> Notification:
    """A message to the approver, who is to sign the plan."""
    scene = Scene.draft()
    for person in scene.people.values():
        person.email = f"{person.username}@example.org"
        person.save()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    return Notification.objects.get(run=scene.run_id)


def event_of(row: Notification) -> list[str]:
    """What the trail tells of messages of the row's run."""
    found = AuditEvent.objects.filter(run=row.run_id, action__startswith="notify.").order_by("seq")
    return list(found.values_list("action", flat=True))


def due_now(row: Notification) -> None:
    Notification.objects.filter(pk=row.pk).update(next_try_at=timezone.now() - timedelta(seconds=1))


def lose_worker(row: Notification) -> None:
    """A worker takes the message and is never heard of again."""
    assert outbox.claim_next() is not None
    past = timezone.now() - timedelta(seconds=1)
    Notification.objects.filter(pk=row.pk).update(sending_until=past, next_try_at=past)


# -- sending


def test_a_message_is_sent_once_and_told_on_the_trail(mail: MailServer) -> None:
    row = one_message()
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_error) == (State.SENT, 1, "")
    assert row.sent_at is not None
    (message,) = mail.to("ada@example.org")
    assert message["Subject"] == row.subject
    assert message["From"] == "Phasegate <phasegate@example.org>"
    assert message["Message-ID"] == f"<{row.run.uid}.{row.pk}@panel.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert f"https://panel.example.org/admin/migration_runs/run/{row.run_id}/change/" in message.get_content()
    assert event_of(row) == ["notify.sent"]
    assert audit.verify().intact


def test_a_server_that_does_not_say_goodbye_has_the_message_nevertheless(
    mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EMAIL_TIMEOUT", 1)
    mail.answers["QUIT"] = None
    row = one_message()
    assert sending.send_due() == 1
    row.refresh_from_db()
    assert row.state == State.SENT
    assert len(mail.messages) == 1


def test_two_workers_at_once_never_send_the_same(mail: MailServer) -> None:
    scene = Scene.draft()
    row = one_message_rows(scene, 40)
    sent: list[int] = []

    def work() -> None:
        try:
            sent.append(sending.send_due())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == len(row) == len(mail.messages)
    assert len({message["Message-ID"] for message in mail.messages}) == len(row)
    assert set(Notification.objects.values_list("state", "attempts")) == {(State.SENT, 1)}


def one_message_rows(scene: Scene, count: int) -> list[Notification]:
    ada = scene.people[Role.APPROVER]
    ada.email = "ada@example.org"
    ada.save()
    rows = [
        Notification(
            run=scene.run, kind="turn", channel="email", person=ada, dedup_key=f"test:{number}",
            subject=f"message {number}", body="body", asks=True,
        )
        for number in range(count)
    ]  # fmt: skip
    outbox.write(rows)
    return list(Notification.objects.all())


def test_the_same_fact_is_written_once(mail: MailServer) -> None:
    scene = Scene.draft()
    one_message_rows(scene, 3)
    assert len(one_message_rows(scene, 5)) == 5


def test_a_sweep_sends_for_what_waits_and_for_nothing_else(mail: MailServer) -> None:
    assert list(sweeper.messages_to_send()) == []
    row = one_message()
    assert list(sweeper.messages_to_send()) == [Hint("send_notifications")]
    outbox.claim_next()
    assert list(sweeper.messages_to_send()) == []  # another worker is at it
    past = timezone.now() - timedelta(seconds=1)
    Notification.objects.filter(pk=row.pk).update(sending_until=past, next_try_at=past)
    assert list(sweeper.messages_to_send()) == [Hint("send_notifications")]


# -- trouble


def test_what_cannot_leave_now_waits_and_leaves_when_the_server_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mail_server() as gone:
        port = gone.port
    point_at(port, monkeypatch)
    row = one_message()
    assert sending.send_due() == 0
    row.refresh_from_db()
    assert row.state == State.WAITING
    assert row.attempts == 1
    assert row.last_error == "The mail server does not answer (ConnectionRefusedError)."
    assert row.next_try_at > timezone.now() + timedelta(seconds=15)
    assert sending.send_due() == 0  # it is not its time yet
    with mail_server(port) as server:
        due_now(row)
        assert sending.send_due() == 1
        assert len(server.messages) == 1
    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_error) == (State.SENT, 2, "")
    assert event_of(row) == ["notify.sent"]


def test_a_server_that_is_down_is_asked_once_a_turn_not_once_a_message(mail: MailServer) -> None:
    rows = one_message_rows(Scene.draft(), 3)
    mail.answers["HELLO"] = "421 busy"
    assert sending.send_due() == 0
    assert sorted(Notification.objects.values_list("attempts", flat=True)) == [0] * (len(rows) - 1) + [1]


def test_after_ten_tries_it_is_given_up_which_is_told_and_seen(mail: MailServer) -> None:
    row = one_message()
    mail.answers["DATA"] = "451 later"
    for _ in range(outbox.TRIES):
        assert row.state == State.WAITING
        due_now(row)
        sending.send_due()
        row.refresh_from_db()
    assert (row.state, row.attempts) == (State.GAVE_UP, outbox.TRIES)
    assert row.last_error == "The mail server refuses the message (451)."
    assert event_of(row) == ["notify.give_up"]
    assert outbox.trouble() == "Messages to people: 1 given up."
    due_now(row)
    assert sending.send_due() == 0


def test_waits_double_up_to_an_hour() -> None:
    waits = [outbox.wait_after(tries).total_seconds() for tries in range(1, 12)]
    for number, wait in enumerate(waits):
        assert 0.74 <= wait / min(30 * 2**number, 3600) <= 1.26
    assert len({outbox.wait_after(1) for _ in range(10)}) > 1


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("RCPT", "550 no such user ada@example.org", "The mail server refuses the address of ada (550)."),
        ("DATA", "554 spam", "The mail server refuses the message (554)."),
    ],
)
def test_what_is_refused_for_good_is_given_up_at_once(
    mail: MailServer, verb: str, answer: str, said: str
) -> None:
    row = one_message()
    mail.answers[verb] = answer
    sending.send_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.GAVE_UP, said)


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("HELLO", "554 go away", "The mail server refuses to talk (554)."),
        ("MAIL", "550 not you", "The mail server refuses EMAIL_FROM (550)."),
        ("RCPT", "450 later", "The mail server refuses the address of ada (450)."),
    ],
)
def test_what_somebody_can_repair_is_tried_again(mail: MailServer, verb: str, answer: str, said: str) -> None:
    row = one_message()
    mail.answers[verb] = answer
    sending.send_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.WAITING, said)


def test_a_log_in_that_is_refused_is_tried_again_and_shows_no_password(
    mail: MailServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "EMAIL_HOST_USER", "panel")
    monkeypatch.setattr(settings, "EMAIL_HOST_PASSWORD", "hunter2")
    row = one_message()
    mail.answers["AUTH"] = "535 hunter2 is wrong"
    sending.send_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.WAITING, "The mail server refuses the log-in (535).")
    assert "hunter2" not in caplog.text


def test_somebody_without_an_address_is_given_up_at_once(mail: MailServer) -> None:
    row = one_message()
    person = row.person
    assert person is not None
    person.email = ""
    person.save()
    sending.send_due()
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.GAVE_UP, "ada has no e-mail address.")


def test_an_address_with_a_line_end_is_given_up_and_reaches_nobody(mail: MailServer) -> None:
    row = one_message()
    assert row.person is not None
    row.person.email = "ada@example.org\nBcc: everybody@example.org"
    row.person.save()
    sending.send_due()
    row.refresh_from_db()
    assert row.state == State.GAVE_UP
    assert mail.messages == []


# -- lost workers


def test_what_a_lost_worker_was_sending_is_sent_again_once_if_it_asks_for_something(mail: MailServer) -> None:
    row = one_message()
    lose_worker(row)
    assert sending.send_due() == 1
    row.refresh_from_db()
    assert (row.state, row.sent_again) == (State.SENT, True)
    (message,) = mail.messages
    assert message.get_content().startswith("(Sent again: ")


def test_a_second_loss_leaves_it_unknown(mail: MailServer) -> None:
    row = one_message()
    for _ in range(2):
        lose_worker(row)
        outbox.settle_lost(worker="test")
    row.refresh_from_db()
    assert row.state == State.UNKNOWN
    assert event_of(row) == ["notify.unknown"]
    assert outbox.trouble() == "Messages to people: 1 of which nobody knows whether they arrived."
    assert sending.send_due() == 0


def test_what_asks_for_nothing_is_not_sent_again(mail: MailServer) -> None:
    scene = Scene.draft()
    information = Notification(
        run=scene.run, kind="completed", channel="email", person=scene.people[Role.DBA],
        dedup_key="information", subject="done", body="body",
    )  # fmt: skip
    outbox.write([information])
    row = Notification.objects.get(dedup_key="information")
    lose_worker(row)
    assert sending.send_due() == 0
    row.refresh_from_db()
    assert row.state == State.UNKNOWN


def test_a_worker_that_comes_back_from_the_dead_ends_the_doubt(mail: MailServer) -> None:
    row = one_message()
    taken = outbox.claim_next()
    assert taken is not None
    past = timezone.now() - timedelta(seconds=1)
    Notification.objects.filter(pk=row.pk).update(sending_until=past)
    outbox.settle_lost(worker="another")
    outbox.record_sent(row.pk, attempt=taken.attempts, worker="the dead")
    row.refresh_from_db()
    assert row.state == State.SENT
    assert sending.send_due() == 0
    assert event_of(row) == ["notify.sent"]


def test_a_late_failure_does_not_touch_anothers_try(mail: MailServer) -> None:
    row = one_message()
    first = outbox.claim_next()
    assert first is not None
    past = timezone.now() - timedelta(seconds=1)
    Notification.objects.filter(pk=row.pk).update(sending_until=past)
    outbox.settle_lost(worker="another")
    second = outbox.claim_next()
    assert second is not None
    outbox.record_failure(row.pk, attempt=first.attempts, why="late", worker="the dead", permanent=True)
    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.SENDING, 2)


# -- again


def given_up(mail: MailServer) -> Notification:
    row = one_message()
    mail.answers["DATA"] = "554 spam"
    sending.send_due()
    row.refresh_from_db()
    assert row.state == State.GAVE_UP
    del mail.answers["DATA"]
    return row


def test_somebody_who_works_on_runs_has_it_sent_again(mail: MailServer) -> None:
    row = given_up(mail)
    person = make_person("dora", Role.DBA)
    outbox.resend(row.run_id, notification_id=row.pk, person=person, how=HOW)
    assert sending.send_due() == 1
    assert event_of(row) == ["notify.give_up", "notify.resend", "notify.sent"]


def test_an_auditor_does_not_and_a_sent_one_is_not_sent_again(mail: MailServer) -> None:
    row = given_up(mail)
    with pytest.raises(NotAllowed):
        outbox.resend(row.run_id, notification_id=row.pk, person=make_person("udo", Role.AUDITOR), how=HOW)
    outbox.resend(row.run_id, notification_id=row.pk, person=make_person("root", superuser=True), how=HOW)
    with pytest.raises(IllegalMove):
        outbox.resend(row.run_id, notification_id=row.pk, person=make_person("dora", Role.DBA), how=HOW)
    with pytest.raises(Refused):
        outbox.resend(row.run_id + 1, notification_id=row.pk, person=make_person("dora", Role.DBA), how=HOW)


# -- pages


def client_of(name: str, *roles: Role) -> Client:
    client = Client()
    client.force_login(make_person(name, *roles))
    return client


def test_the_list_and_the_message_show_what_happened_and_a_get_changes_nothing(mail: MailServer) -> None:
    row = given_up(mail)
    for name, role, may in (("dora", Role.DBA, True), ("udo", Role.AUDITOR, False)):
        client = client_of(name, role)
        page = client.get(reverse("admin:migration_runs_notification_changelist")).content.decode()
        assert row.subject in page
        assert "Given up" in page
        assert "Not everybody was told." in page
        message = client.get(reverse("admin:migration_runs_notification_change", args=[row.pk]))
        text = message.content.decode()
        assert "The mail server refuses the message (554)." in text
        assert ("disabled" not in text) == may
        assert "Not everybody was told." in client.get(reverse("admin:index")).content.decode()
        address = reverse("admin:migration_runs_notification_again", args=[row.pk])
        assert client.get(address).status_code == 405
    row.refresh_from_db()
    assert row.state == State.GAVE_UP


def test_the_button_has_it_sent_again_by_those_who_may(mail: MailServer) -> None:
    row = given_up(mail)
    address = reverse("admin:migration_runs_notification_again", args=[row.pk])
    client_of("udo", Role.AUDITOR).post(address)
    client_of("nobody").post(address)
    row.refresh_from_db()
    assert row.state == State.GAVE_UP
    client_of("dora", Role.DBA).post(address)
    row.refresh_from_db()
    assert row.state == State.WAITING
    assert sending.send_due() == 1


def test_the_start_page_says_nothing_while_all_is_well(mail: MailServer) -> None:
    one_message()
    assert (
        "Not everybody was told."
        not in client_of("dora", Role.DBA).get(reverse("admin:index")).content.decode()
    )
