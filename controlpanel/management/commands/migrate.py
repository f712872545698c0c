"""``migrate`` as the owner of the control database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate

OWNER = "owner"


class Command(migrate.Command):
    """Django's migrate, run by the owner role: the role that the panel runs as owns nothing."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Django's own arguments, with another default for ``--database``."""
        super().add_arguments(parser)
        parser.set_defaults(database=OWNER)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Refuse any other database: Django would note migrations as applied there without applying them.

        Raises CommandError. Done here, since Django's system checks already connect.
        """
        if options["database"] != OWNER:
            raise CommandError(f"migrations run on the database alias '{OWNER}' alone")
        if OWNER not in settings.DATABASES:
            raise CommandError("DATABASE_OWNER_URL is not set: the control database, as its owner role")
        return super().execute(*args, **options)
