"""Signatures."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards
from migration_runs.models.assignment import ROLES
from migration_runs.models.run import Run


class SignOff(models.Model):
    """A signature, or (``approved`` false) the refusal of one, at a gate of a run.

    ``gate`` is ``plan``, ``start:9`` or ``phase:N``. What it names is what was signed: the plan's digest, the
    target and its identity, the target's relevant schema. A signature is used for its own gate alone;
    it stops counting at ``expires_at`` or once it is void. Append-only but for the two void columns.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="sign_offs")
    gate = models.CharField(max_length=10)
    role = models.CharField(max_length=8, choices=ROLES)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sign_offs")
    plan_digest = models.CharField(max_length=64)
    target = models.CharField(max_length=63)
    target_identity = models.CharField(max_length=200, blank=True, default="")
    schema_digest = models.CharField(max_length=64, blank=True, default="")
    approved = models.BooleanField()
    comment = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    void_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "gate", "person"],
                condition=models.Q(void_at=None),
                name="a_person_signs_a_gate_once",
            ),
            models.UniqueConstraint(
                fields=["run", "gate", "role"],
                condition=models.Q(void_at=None),
                name="a_role_signs_a_gate_once",
            ),
        ]
        triggers: ClassVar = [*guards.append_only("void_at", "void_reason")]

    def __str__(self) -> str:
        return f"{self.role} at {self.gate} of run {self.run_id}"
