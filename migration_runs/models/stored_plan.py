"""Plans as stored: immutable, named by their digest."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from migration_runs.models import guards


class StoredPlan(models.Model):
    """A frozen plan, never changed. ``body`` is its JSON; ``digest`` the SHA-256 of its canonical form."""

    digest = models.CharField(max_length=64, primary_key=True)
    slug = models.CharField(max_length=41)
    body = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers: ClassVar = [*guards.append_only()]

    def __str__(self) -> str:
        return f"{self.slug} {self.digest[:12]}"
