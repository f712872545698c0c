"""Chats and webhooks by Apprise: a real HTTP server takes them, and no address is ever shown."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from migration_runs import checks, delivery, sending
from migration_runs.exceptions import NotSent
from migration_runs.models import Notification
from migration_runs.phases import Role
from migration_runs.services import runs
from tests.control import HOW, Scene, make_people
from tests.receivers import Webhook, webhook

pytestmark = [
    pytest.mark.usefixtures("control_db", "broker"),
    # Apprise asks for it while it is there.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]

CANARY = "canary-6f1d"


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook whose address holds a secret in every place that an address has."""
    with webhook() as server:
        url = f"json://user:{CANARY}@127.0.0.1:{server.port}/{CANARY}/path?+X-Token={CANARY}"
        monkeypatch.setattr(settings, "NOTIFY_URLS", {"NOTIFY_URLS": (url,)})
        monkeypatch.setattr(settings, "PUBLIC_URL", "https://panel.example.org")
        yield server


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that reaches the root of the log, where the handlers of the settings are, at its most talkative."""
    root, text = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


def one_message() -> Notification:
    scene = Scene.draft()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    return Notification.objects.get(run=scene.run_id)


def everything_kept() -> str:
    """Every row of every table of the control database."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        assert Notification._meta.db_table in tables
        kept = []
        for table in tables:
            cursor.execute(f"SELECT row::text FROM {connection.ops.quote_name(table)} AS row")
            kept += [text for (text,) in cursor.fetchall()]
    return "\n".join(kept)


def test_a_message_reaches_the_webhook_with_subject_text_and_link(chat: Webhook) -> None:
    row = one_message()
    assert sending.send_due() == 1
    (post,) = chat.posts
    assert post["title"] == row.subject
    assert "Wanted of ada (approver): Read it, then sign it" in post["message"]
    assert f"https://panel.example.org/admin/migration_runs/run/{row.run_id}/change/" in post["message"]


@pytest.mark.parametrize("status", [403, 500])
def test_what_the_webhook_refuses_waits_and_no_secret_is_told(
    chat: Webhook, status: int, logged: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    chat.status = status
    row = one_message()
    assert sending.send_due() == 0
    row.refresh_from_db()
    assert row.state == row.State.WAITING
    assert row.last_error == f"NOTIFY_URLS 1 did not take the message (status {status})."
    shown = capfd.readouterr()
    assert any(CANARY in path for path in chat.paths)
    assert "was not sent" in logged.getvalue()
    for place in (logged.getvalue(), everything_kept(), shown.out, shown.err):
        assert CANARY not in place
        assert "hunter2" not in place


def test_a_chat_that_is_not_there_waits_and_no_secret_is_told(
    chat: Webhook, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    with webhook() as gone:
        port = gone.port
    url = f"json://user:{CANARY}@127.0.0.1:{port}/{CANARY}"
    monkeypatch.setattr(settings, "NOTIFY_URLS", {"NOTIFY_URLS": (url,)})
    row = one_message()
    assert sending.send_due() == 0
    row.refresh_from_db()
    assert row.state == row.State.WAITING
    assert "was not sent" in logged.getvalue()
    assert CANARY not in logged.getvalue() + everything_kept()


def test_one_chat_that_fails_does_not_have_the_other_told_twice(
    chat: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as other:
        urls = (*settings.NOTIFY_URLS["NOTIFY_URLS"], f"json://127.0.0.1:{other.port}")
        monkeypatch.setattr(settings, "NOTIFY_URLS", {"NOTIFY_URLS": urls})
        chat.status = 500
        scene = Scene.draft()
        runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
        assert sending.send_due() == 1
        chat.status = 200
        Notification.objects.exclude(state="sent").update(next_try_at="2000-01-01T00:00:00Z")
        assert sending.send_due() == 1
        assert (len(chat.posts), len(other.posts)) == (1, 1)


def test_nobody_is_called_by_what_somebody_typed(chat: Webhook) -> None:
    delivery.chat("NOTIFY_URLS 1", subject="hold", text="@everyone <@123> read this")
    (post,) = chat.posts
    assert "@everyone" not in post["message"]
    assert "@123" not in post["message"]
    assert "everyone" in post["message"]


def test_an_address_that_is_gone_or_makes_no_sense_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "NOTIFY_URLS", {"NOTIFY_URLS": (f"nonsense://{CANARY}",)})
    for channel in ("NOTIFY_URLS 1", "NOTIFY_URLS 2", "NOTIFY_URLS_DBA 1", "NOTIFY_URLS x"):
        with pytest.raises(NotSent) as refused:
            delivery.chat(channel, subject="s", text="t")
        assert refused.value.permanent
        assert CANARY not in str(refused.value)


# -- start-up checks and the command


def test_messages_without_the_panels_address_are_refused_by_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.messages_have_links() == []
    monkeypatch.setattr(settings, "NOTIFY_EMAIL", True)
    assert [found.id for found in checks.messages_have_links()] == ["migration_runs.E003"]
    monkeypatch.setattr(settings, "PUBLIC_URL", "https://panel.example.org")
    assert checks.messages_have_links() == []


def test_an_address_that_apprise_does_not_know_is_refused_by_check(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {"NOTIFY_URLS": ("json://127.0.0.1/x", f"nonsense://{CANARY}")}
    monkeypatch.setattr(settings, "NOTIFY_URLS", urls)
    (found,) = checks.chats_are_understood()
    assert found.id == "migration_runs.E004"
    assert "NOTIFY_URLS 2" in found.msg
    assert CANARY not in str(found)


def test_the_command_sends_a_test_and_says_why_it_did_not_leave(
    chat: Webhook, capsys: pytest.CaptureFixture[str]
) -> None:
    make_people()
    call_command("notify", "test", "--channel", "NOTIFY_URLS 1", "--as", "dora")
    assert chat.posts[0]["title"] == "Test message of Phasegate"
    chat.status = 500
    with pytest.raises(CommandError, match="did not take the message"):
        call_command("notify", "test", "--channel", "NOTIFY_URLS 1", "--as", "dora")
    with pytest.raises(CommandError, match="role"):
        call_command("notify", "test", "--channel", "NOTIFY_URLS 1", "--as", "udo")
    call_command("notify", "status")
    shown = capsys.readouterr()
    assert "Chats: NOTIFY_URLS 1." in shown.out
    assert CANARY not in shown.out + shown.err + everything_kept()
