"""Django system checks: a misconfiguration is said at start-up, with what to do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from migration_runs import delivery
from migration_runs.services import outbox, rules


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
def messages_have_links(**_: Any) -> list[CheckMessage]:
    """Whoever is told that something waits for them must be able to go there."""
    if outbox.is_configured() and not settings.PUBLIC_URL:
        return [
            Error(
                "Messages to people are configured, but not where people reach the panel.",
                hint="Set PUBLIC_URL, for example to https://phasegate.example.org.",
                id="migration_runs.E003",
            )
        ]
    return []


@register(deploy=True)
def chats_are_understood(**_: Any) -> list[CheckMessage]:
    """Every chat's address makes sense to the library that writes there. Nothing is sent."""
    return [
        Error(
            f"{channel} is not an address that Apprise understands.",
            hint="See the how-to on notifications for the forms; `manage.py notify test` sends one.",
            id="migration_runs.E004",
        )
        for channel in outbox.every_channel()
        if not delivery.is_understood(channel)
    ]


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
