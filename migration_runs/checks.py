"""Django system checks: a misconfiguration is said at start-up, with what to do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from migration_runs.services import rules


@register(Tags.database, Tags.security)
def app_role_is_not_owner(**_: Any) -> list[CheckMessage]:
    """The app role must not own the tables: an owner could disable the audit's triggers."""
    databases = settings.DATABASES
    if "owner" in databases and databases["owner"]["USER"] == databases["default"]["USER"]:
        return [
            Error(
                "DATABASE_URL and DATABASE_OWNER_URL log in as the same role.",
                hint="Give DATABASE_URL a role that owns nothing; migrations grant it what it needs.",
                id="migration_runs.E001",
            )
        ]
    return []


@register()
def rules_are_sane(**_: Any) -> list[CheckMessage]:
    """Times that settings may change must be positive."""
    return [
        Error(
            f"{name} must be greater than 0.",
            hint=f"Remove {name} to use the default.",
            id="migration_runs.E002",
        )
        for name in rules.TIMES
        if not getattr(settings, name) > 0
    ]
