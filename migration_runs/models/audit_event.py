"""The audit trail."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from migration_runs.models import guards
from migration_runs.models.run import Run

WRONG = (
    "phase.fail",
    "phase.fail_undo",
    "check.fail",
    "check.missed",
    "verification.fail",
    "run.hold",
    "sign_off.void",
    "sign_off.refuse",
    "run.roll_back",
)
"""Actions that tell of something that went wrong: few among many, and found by an index of their own."""


class AuditEvent(models.Model):
    """One event of the trail. ``hash`` is over this event and ``prev_hash``: see ``services.audit``.

    ``actor`` is a user name, or the name of a worker; ``actor_how`` says how the panel knew the actor
    (``web``, ``cli``, ``shell:<name>``, ``worker``, ``demo``). Append-only, numbered without gaps.
    """

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="audit_events", null=True, blank=True)
    actor = models.CharField(max_length=200)
    actor_how = models.CharField(max_length=100)
    action = models.CharField(max_length=60)
    object = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)
    prev_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["seq"]
        # A page of the trail is found by one of these, however long the trail is. Actions are asked for by
        # their beginning as well ("refused."), which only an index of patterns can answer. The start page
        # asks for what went wrong only, which a partial index finds.
        indexes: ClassVar = [
            models.Index(fields=["run", "seq"], name="audit_event_run"),
            models.Index(fields=["actor", "seq"], name="audit_event_actor"),
            models.Index(
                fields=["action", "seq"],
                name="audit_event_action",
                opclasses=["varchar_pattern_ops", "int8_ops"],
            ),
            models.Index(fields=["at"], name="audit_event_at"),
            models.Index(fields=["-seq"], condition=models.Q(action__in=WRONG), name="audit_event_wrong"),
        ]
        triggers: ClassVar = [guards.audit_chain(), *guards.append_only()]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"
