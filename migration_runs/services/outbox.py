"""The outbox: messages are written with the event that causes them, and sent by workers afterwards.

A row is taken (``sending``) and that committed before anything leaves, so that two workers never send one
message, and a worker that is lost meanwhile leaves a trace. What then happens to the message is decided by
:func:`settle_lost`. All times are the control database's.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from migration_runs import dispatch
from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import Notification
from migration_runs.phases import Role
from migration_runs.services import audit, clock, people
from migration_runs.services.people import Actor
from migration_runs.services.verbs import verb
from migration_runs.states import RUN_FINAL

State = Notification.State

SENDING_LASTS = timedelta(minutes=5)
"""After so long without a word its worker counts as lost. Longer than a mail server that answers each time at
the last moment can take, and than a chat."""

TRIES = 10
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
"""The wait after each failed try doubles between these: ten tries take about three hours."""

LATE = timedelta(minutes=15)
"""A message that has not left by then is shown as trouble."""

RETRIERS = tuple(role for role in Role if role is not Role.AUDITOR)
"""Who may have a message sent again, beside administrators, who repair what kept it."""


def channels(roles: Iterable[Role]) -> list[str]:
    """Chats that hear of an event that concerns ``roles``, by the place of their address in the settings."""
    wanted = {"NOTIFY_URLS", *(f"NOTIFY_URLS_{role.value.upper()}" for role in roles)}
    return [
        f"{name} {place}"
        for name, urls in sorted(settings.NOTIFY_URLS.items())
        if name in wanted
        for place in range(1, len(urls) + 1)
    ]


def every_channel() -> list[str]:
    """Every chat, whatever it hears of."""
    return channels(Role)


def sends_email() -> bool:
    """Whether people are told by e-mail."""
    return bool(settings.NOTIFY_EMAIL)


def is_configured() -> bool:
    """Whether anybody is told anything."""
    return sends_email() or bool(settings.NOTIFY_URLS)


def write(messages: Iterable[Notification]) -> None:
    """Put messages into the outbox, in the caller's transaction; what was told before is left out."""
    rows = Notification.objects.bulk_create(list(messages), ignore_conflicts=True)
    if rows:
        dispatch.after_commit("send_notifications")


def something_due() -> bool:
    """Whether a worker should look at the outbox now."""
    return Notification.objects.filter(
        state__in=[State.WAITING, State.SENDING], next_try_at__lte=Now()
    ).exists()


def claim_next(*, without: Collection[str] = ()) -> Notification | None:
    """Take the message that has waited longest, but none of the channels ``without``; None: nothing is due.

    It is this worker's until ``sending_until``; the end is recorded under its ``attempts``, a token.
    """
    with transaction.atomic():
        row = (
            Notification.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .filter(state=State.WAITING, next_try_at__lte=Now())
            .exclude(channel__in=without)
            .select_related("run", "person")
            .order_by("next_try_at", "id")
            .first()
        )
        if row is None:
            return None
        until = clock.database_now() + SENDING_LASTS
        row.state, row.attempts = State.SENDING, row.attempts + 1
        row.sending_until = row.next_try_at = until
        row.save(update_fields=["state", "attempts", "sending_until", "next_try_at"])
    return row


def record_sent(notification_id: int, *, attempt: int, worker: str) -> None:
    """It has left. Counts even where the worker was thought lost: then nobody sends it again."""
    with transaction.atomic():
        row = _locked(notification_id)
        mine = row.state == State.SENDING and row.attempts == attempt
        if not mine and row.state not in {State.WAITING, State.UNKNOWN}:
            return
        row.state, row.sent_at, row.sending_until, row.last_error = State.SENT, clock.database_now(), None, ""
        row.save(update_fields=["state", "sent_at", "sending_until", "last_error"])
        _tell(row, "notify.sent", worker=worker)


def record_failure(
    notification_id: int, *, attempt: int, why: str, worker: str, permanent: bool = False
) -> None:
    """It did not leave: try again later, or give up, which is told. Nothing if it is another worker's now."""
    with transaction.atomic():
        row = _locked(notification_id)
        if row.state != State.SENDING or row.attempts != attempt:
            return
        row.last_error, row.sending_until = why, None
        if permanent or row.attempts >= row.give_up_after:
            row.state, row.gave_up_at = State.GAVE_UP, clock.database_now()
            _tell(row, "notify.give_up", worker=worker, reason=why)
        else:
            row.state = State.WAITING
            tried = TRIES - (row.give_up_after - row.attempts)
            row.next_try_at = clock.database_now() + wait_after(tried)
        row.save(update_fields=["state", "next_try_at", "sending_until", "gave_up_at", "last_error"])


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many failed tries: doubling, and a quarter more or less at random."""
    wait = min(FIRST_WAIT * float(2 ** min(max(tries, 1) - 1, 20)), LONGEST_WAIT)
    return wait * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, keeps no secret


def settle_lost(*, worker: str) -> int:
    """Decide on messages whose worker was lost while it sent; how many there were.

    Nobody knows whether they arrived. One that asks for something is sent once more: not to know of it would
    be worse than to read it twice, and mail programs can tell by its Message-ID. Others are left, as unknown.
    """
    with transaction.atomic():
        rows = list(
            Notification.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .filter(state=State.SENDING, sending_until__lt=Now())
            .select_related("run", "person")
            .order_by("id")
        )
        for row in rows:
            row.sending_until = None
            row.last_error = "Its worker was lost while it sent: it may have arrived."
            if row.asks and not row.sent_again:
                row.state, row.sent_again, row.next_try_at = State.WAITING, True, clock.database_now()
            else:
                row.state = State.UNKNOWN
                _tell(row, "notify.unknown", worker=worker, reason=row.last_error)
            row.save(update_fields=["state", "sent_again", "next_try_at", "sending_until", "last_error"])
    return len(rows)


def may_resend(row: Notification, actor: Actor) -> None:
    """Raises NotAllowed, or IllegalMove for what has arrived or is on its way."""
    require_retrier(actor, "Sending a message again")
    if row.state not in {State.UNKNOWN, State.GAVE_UP}:
        raise IllegalMove(
            f"Message {row.pk} is {row.state.replace('_', ' ')}: only one that was given up, or of which "
            "nobody knows whether it arrived, is sent again.",
            rule="state",
        )


def require_retrier(actor: Actor, what: str) -> None:
    """Raises NotAllowed for who neither works on runs nor administers the panel."""
    if actor.user is None or not (actor.user.is_active and actor.user.is_superuser):
        actor.require(RETRIERS, what)


@verb("notify")
def resend(run_id: int, *, notification_id: int, person: User, how: str) -> Notification:
    """Have a message sent that was given up or may not have arrived.

    Raises NotAllowed, IllegalMove or Refused.
    """
    row = (
        Notification.objects.select_for_update(no_key=True, of=("self",))
        .select_related("run", "person")
        .filter(pk=notification_id, run=run_id)
        .first()
    )
    if row is None:
        raise Refused(f"There is no message {notification_id} of run {run_id}.", rule="notification")
    actor = people.actor_of(person, how=how)
    may_resend(row, actor)
    row.state, row.gave_up_at, row.sent_again = State.WAITING, None, False
    row.next_try_at, row.give_up_after = clock.database_now(), row.attempts + TRIES
    row.save(update_fields=["state", "gave_up_at", "sent_again", "next_try_at", "give_up_after"])
    audit.append(actor=actor, run=row.run, action="notify.resend", object=_named(row), detail=_detail(row))
    dispatch.after_commit("send_notifications")
    return row


def trouble() -> str:
    """What keeps messages of open runs from people, in one sentence; empty when nothing does."""
    late = Q(state__in=[State.WAITING, State.SENDING], created_at__lt=Now() - LATE)
    counts = (
        Notification.objects.exclude(state=State.SENT)
        .exclude(run__state__in=[state.value for state in RUN_FINAL])
        .aggregate(
            given_up=Count("id", filter=Q(state=State.GAVE_UP)),
            unknown=Count("id", filter=Q(state=State.UNKNOWN)),
            late=Count("id", filter=late),
        )
    )
    words = {
        "given_up": "given up",
        "unknown": "of which nobody knows whether they arrived",
        "late": f"waiting for more than {LATE.total_seconds() / 60:.0f} min",
    }
    found = [f"{counts[name]} {what}" for name, what in words.items() if counts[name]]
    return f"Messages to people: {', '.join(found)}." if found else ""


def _locked(notification_id: int) -> Notification:
    return (
        Notification.objects.select_for_update(no_key=True, of=("self",))
        .select_related("run", "person")
        .get(pk=notification_id)
    )


def _tell(row: Notification, action: str, *, worker: str, reason: str = "") -> None:
    detail = _detail(row) | ({"reason": reason} if reason else {})
    audit.append(
        actor=people.worker_actor(worker), run=row.run, action=action, object=_named(row), detail=detail
    )


def _named(row: Notification) -> str:
    return f"{row.receiver}: {row.subject}"


def _detail(row: Notification) -> dict[str, object]:
    return {
        "notification": row.pk,
        "kind": row.kind,
        "phase": row.phase,
        "to": row.receiver,
        "channel": row.channel,
        "attempt": row.attempts,
    }
