"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MigrationRunsConfig(AppConfig):
    """Registers the start-up checks, and what has to follow every migration: grants and groups."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "migration_runs"
    verbose_name = "Migration runs"

    def ready(self) -> None:
        """Connect what runs at start-up and after migrations."""
        from migration_runs import access, checks  # noqa: F401, PLC0415  (models are loaded only now)

        post_migrate.connect(access.after_migrate, sender=self, dispatch_uid="migration_runs.access")
