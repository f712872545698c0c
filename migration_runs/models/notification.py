"""Messages to people, kept until they are sent: the outbox."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from migration_runs.models import guards
from migration_runs.models.run import Run


class Notification(models.Model):
    """One message to one person by e-mail, or to one chat, written in the transaction of what it tells.

    ``dedup_key`` names the fact and the receiver, so that nobody is told one fact twice. ``channel`` is
    ``email``, or the place of the chat's address in the settings: ``NOTIFY_URLS 1``; no row holds an address
    with a secret. ``subject`` and ``body`` are as they were when it happened; the link is added when it is
    sent. ``asks`` says that the receiver is to do something. ``attempts`` counts tries to send, and is the
    token of the one under way, which counts as lost after ``sending_until``. After ``give_up_after`` of them
    nothing more is tried. ``sent_again`` says that one was lost under way and followed by another.
    """

    class Kind(models.TextChoices):
        """What happened."""

        TURN = "turn", "your turn"
        SIGN_OFF = "sign_off", "sign-off wanted"
        PHASE_DONE = "phase_done", "phase done"
        CHECK = "check", "check failed or missed"
        HOLD = "hold", "hold"
        FAILED = "failed", "failed"
        ROLLBACK = "rollback", "rollback"
        CLEANUP = "cleanup", "cleanup unlocked"
        COMPLETED = "completed", "completed"

    class State(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        UNKNOWN = "unknown"  # its worker was lost while it sent: it may have arrived
        GAVE_UP = "gave_up"  # refused for good, or tried too often

    EMAIL = "email"

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="notifications")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    phase = models.PositiveSmallIntegerField(null=True, blank=True)
    channel = models.CharField(max_length=60)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    dedup_key = models.CharField(max_length=200, unique=True)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    asks = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    next_try_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(default=0)
    give_up_after = models.PositiveIntegerField(default=10)
    sending_until = models.DateTimeField(null=True, blank=True)
    sent_again = models.BooleanField(default=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    gave_up_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                condition=models.Q(state__in=["waiting", "sending"]),
                name="notification_open",
            ),
            models.Index(
                fields=["state"],
                condition=~models.Q(state="sent"),
                name="notification_unsent",
            ),
        ]
        triggers: ClassVar = [
            guards.fixed_columns(
                "id", "run_id", "kind", "phase", "channel", "person_id", "dedup_key", "subject", "body",
                "asks", "created_at",
            ),
            *guards.no_delete(),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()} to {self.receiver}"

    @property
    def receiver(self) -> str:
        """The person's account, or which chat."""
        return self.person.get_username() if self.person else self.channel
