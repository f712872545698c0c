"""Who does what in a run."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from migration_runs.models.run import Run
from migration_runs.phases import Role

ROLES = [(role.value, role.value) for role in Role]


class Assignment(models.Model):
    """The person named for a role of a run."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="assignments")
    role = models.CharField(max_length=8, choices=ROLES)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assignments")

    class Meta:
        ordering: ClassVar = ["run_id", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "role"], name="one_person_per_role")]

    def __str__(self) -> str:
        return f"{self.role} of run {self.run_id}"
