"""Which database a model's query goes to."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

TARGET_APPS = frozenset({"bars"})
"""Apps whose models describe tables of a target database, unmanaged and for reading alone."""

DEFAULT_TARGET = "bars"


class ControlAndTargets:
    """Models of a target go to the alias ``bars`` unless a query says ``using``; all others to control.

    Tables are made by the owner role alone, so migrations run on the alias ``owner``.
    """

    def db_for_read(self, model: type[Model], **_hints: Any) -> str | None:
        """Alias for reading `model`; None leaves it to Django, which takes ``default``."""
        return DEFAULT_TARGET if model._meta.app_label in TARGET_APPS else None

    def db_for_write(self, model: type[Model], **_hints: Any) -> str | None:
        """The same alias: a target's connection is read-only, so that PostgreSQL itself refuses a write."""
        return self.db_for_read(model, **_hints)

    def allow_relation(self, obj1: Model, obj2: Model, **_hints: Any) -> bool | None:
        """No relation may cross between control and target."""
        return (obj1._meta.app_label in TARGET_APPS) == (obj2._meta.app_label in TARGET_APPS)

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        """Only as owner, and never for tables of a target."""
        return db == "owner" and app_label not in TARGET_APPS
