"""Handing one message to a mail server or a chat. What went wrong is told without any address or answer."""

from __future__ import annotations

import logging
import re
import smtplib
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from migration_runs.exceptions import NotSent
from migration_runs.models import Notification, Run

logger = logging.getLogger(__name__)

CHAT_SECONDS = 60
PLAIN_TEXT = "text"
REFUSED_FOR_GOOD = 500
AGAIN = "(Sent again: nobody knows whether this reached you before.)"


def deliver(row: Notification) -> None:
    """Send a message of the outbox to whom it is for. Raises NotSent."""
    text = text_of(row)
    if row.channel == Notification.EMAIL and row.person is not None:
        email(row.person, subject=row.subject, text=text, message_id=f"{row.run.uid}.{row.pk}")
    else:
        chat(row.channel, subject=row.subject, text=text)


def text_of(row: Notification) -> str:
    """What the receiver reads: the body, the link to the run, and whether it may have come before."""
    parts = [AGAIN if row.sent_again else "", row.body, link_to(row.run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def link_to(run: Run) -> str:
    """The run's page as people reach it; empty where PUBLIC_URL is not set."""
    if not settings.PUBLIC_URL:
        return ""
    return f"{settings.PUBLIC_URL}{reverse('admin:migration_runs_run_change', args=[run.pk])}"


def email(person: User, *, subject: str, text: str, message_id: str) -> None:
    """Send an e-mail. A message has one ``message_id``, however often it is sent. Raises NotSent."""
    if not settings.NOTIFY_EMAIL:
        raise NotSent("This worker knows no mail server: set EMAIL_URL for it too.", down=True)
    if not person.email:
        raise NotSent(f"{person.get_username()} has no e-mail address.", permanent=True)
    host = urlsplit(settings.PUBLIC_URL).hostname or "phasegate.invalid"
    message = EmailMessage(
        subject=subject,
        body=text,
        to=[person.email],
        headers={"Message-ID": f"<{message_id}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    connection = get_connection()
    try:
        connection.open()
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotSent(
            f"The mail server refuses the address of {person.get_username()} ({_codes(codes)}).",
            permanent=all(code >= REFUSED_FOR_GOOD for code in codes),
        ) from None
    except smtplib.SMTPDataError as error:
        raise NotSent(
            f"The mail server refuses the message ({error.smtp_code}).",
            permanent=error.smtp_code >= REFUSED_FOR_GOOD,
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent(f"The mail server refuses the log-in ({error.smtp_code}).", down=True) from None
    except smtplib.SMTPSenderRefused as error:
        raise NotSent(f"The mail server refuses EMAIL_FROM ({error.smtp_code}).", down=True) from None
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"The mail server refuses to talk ({error.smtp_code}).", down=True) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"The mail server does not answer ({type(error).__name__}).", down=True) from None
    except ValueError:  # Django's BadHeaderError is one
        raise NotSent(
            f"The e-mail address of {person.get_username()} cannot be written to.",
            permanent=True,
        ) from None
    finally:
        _leave(connection)


def _leave(connection: BaseEmailBackend) -> None:
    """Close the connection. By then it is decided whether the message was taken: this must not change it."""
    try:
        connection.close()
    except (smtplib.SMTPException, OSError) as error:
        logger.info("the mail server did not say goodbye (%s)", type(error).__name__)


def chat(channel: str, *, subject: str, text: str) -> None:
    """Send to the chat or webhook whose address is at that place of the settings. Raises NotSent."""
    service = _service(channel)
    if service is None:
        raise NotSent(f"{channel} is not an address that Apprise understands.", permanent=True)
    with service.notify(
        title=without_mentions(subject),
        body=without_mentions(text),
        body_format=PLAIN_TEXT,
        timeout=CHAT_SECONDS,
    ) as result:
        if not result:
            status = _status(result)
            # One that did not even answer would keep each other message waiting as long.
            raise NotSent(f"{channel} did not take the message{status}.", down=not status)


def is_understood(channel: str) -> bool:
    """Whether the address of a chat is of a form that Apprise knows."""
    return _service(channel) is not None


def _service(channel: str) -> Any:
    # Loads a hundred services and their libraries; web and most workers never need them.
    import apprise  # noqa: PLC0415

    # Nothing of a message is kept on disk.
    asset = apprise.AppriseAsset(app_id="Phasegate", storage_mode="memory", result_log_disk_size=0)
    service = apprise.Apprise(asset=asset)
    return service if service.add(address_of(channel)) else None


def address_of(channel: str) -> str:
    """The address, a secret, of a chat named by its place: ``NOTIFY_URLS_DBA 2``. Raises NotSent."""
    name, _, place = channel.partition(" ")
    urls = settings.NOTIFY_URLS.get(name, ())
    if not place.isdecimal() or not 1 <= int(place) <= len(urls):
        raise NotSent(f"{channel} is not in this worker's settings.", permanent=True)
    return str(urls[int(place) - 1])


def without_mentions(text: str) -> str:
    """The text with an unseen space after each @: what somebody typed must not call everybody of a chat."""
    return text.replace("@", "@\u200b")


def _status(result: Any) -> str:
    """The HTTP status out of what Apprise noted; its words are left, since they may hold the address."""
    for entry in result.logs():
        found = re.search(r"error=(\d{3})\b", entry.message)
        if found:
            return f" (status {found.group(1)})"
    return ""


def _codes(codes: list[int]) -> str:
    return ", ".join(map(str, codes))
