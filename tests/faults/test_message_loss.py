"""Messages outlive whatever sends them: a killed worker, a lost broker, a mail server that is away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from controlpanel import embedded
from migration_runs.models import AuditEvent, Notification
from migration_runs.phases import Role
from migration_runs.services import runs
from tests.control import HOW, Scene
from tests.processes import Processes
from tests.receivers import MailServer, mail_server

pytestmark = pytest.mark.faults

GIVE_UP_S = 240.0
State = Notification.State


@pytest.fixture
def mail(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server that workers send to."""
    with mail_server() as server:
        monkeypatch.setattr(settings, "NOTIFY_EMAIL", True)
        processes.env |= {
            "EMAIL_URL": f"smtp://127.0.0.1:{server.port}",
            "EMAIL_FROM": "phasegate@example.org",
            "PUBLIC_URL": "https://panel.example.org",
        }
        yield server


def submit() -> Notification:
    """A run is submitted, which asks the approver."""
    scene = Scene.draft()
    approver = scene.people[Role.APPROVER]
    approver.email = "ada@example.org"
    approver.save()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    return Notification.objects.get(run=scene.run_id)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not what():
        assert time.monotonic() < deadline, list(Notification.objects.values())
        time.sleep(0.1)


def is_in(row: Notification, state: str) -> Callable[[], bool]:
    return lambda: Notification.objects.filter(pk=row.pk, state=state).exists()


def told(row: Notification) -> list[str]:
    found = AuditEvent.objects.filter(run=row.run_id, action__startswith="notify.").order_by("seq")
    return list(found.values_list("action", flat=True))


def test_a_worker_killed_while_it_sends_is_followed_by_one_that_says_so(
    processes: Processes, mail: MailServer
) -> None:
    mail.go_on.clear()
    processes.start_beat()
    worker = processes.start_worker()
    row = submit()
    until(mail.taking.is_set)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert is_in(row, State.SENDING)()
    mail.go_on.set()  # what it had handed over arrives
    until(lambda: len(mail.messages) == 1)
    processes.start_worker()
    assert is_in(row, State.SENDING)()  # the worker may yet be alive
    past = timezone.now() - timedelta(seconds=1)
    Notification.objects.filter(pk=row.pk).update(sending_until=past, next_try_at=past)
    until(is_in(row, State.SENT))
    first, second = mail.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert second.get_content().startswith("(Sent again: ")
    assert not first.get_content().startswith("(Sent again: ")
    assert told(row) == ["notify.sent"]


def test_a_message_outlives_the_broker_and_arrives_once(
    cluster: embedded.Cluster, processes: Processes, mail: MailServer
) -> None:
    cluster.crash_valkey()
    try:
        row = submit()
    finally:
        cluster.start_valkey()
    assert mail.messages == []
    processes.start_worker()
    processes.start_beat()
    until(is_in(row, State.SENT))
    cluster.crash_valkey()
    cluster.start_valkey()
    second = ask_again(row)
    until(is_in(second, State.SENT))
    assert len(mail.messages) == 2
    assert len({message["Message-ID"] for message in mail.messages}) == 2
    assert told(row) == ["notify.sent", "notify.sent"]


def ask_again(row: Notification) -> Notification:
    """The author withdraws and submits again, which asks the approver once more."""
    author = row.run.author
    runs.withdraw_run(row.run_id, person=author, how=HOW)
    runs.submit_run(row.run_id, person=author, how=HOW)
    return Notification.objects.exclude(pk=row.pk).get(run=row.run_id)


def test_workers_of_two_processes_send_each_message_once(processes: Processes, mail: MailServer) -> None:
    scene = Scene.draft()
    approver = scene.people[Role.APPROVER]
    approver.email = "ada@example.org"
    approver.save()
    Notification.objects.bulk_create(
        Notification(
            run=scene.run, kind="turn", channel="email", person=approver, dedup_key=f"test:{number}",
            subject=f"message {number}", body="body", asks=True,
        )
        for number in range(60)
    )  # fmt: skip
    for _ in range(2):
        processes.start_worker(concurrency=2)
    processes.start_beat()
    until(lambda: not Notification.objects.exclude(state=State.SENT).exists())
    assert len(mail.messages) == 60
    assert len({message["Message-ID"] for message in mail.messages}) == 60
