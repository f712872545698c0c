"""What follows every migration of the control database: grants of the app role, and the six groups.

Both are idempotent and run as the owner role, after each ``migrate``.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import connections
from psycopg import sql

from migration_runs import control_sql
from migration_runs.phases import Role


def after_migrate(*, app_config: AppConfig, using: str, **_: Any) -> None:
    """Handler of ``post_migrate``. Does nothing on a database that does not hold the app's tables."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT num_nulls(to_regclass(%s), to_regclass(%s)) = 0",
            ["migration_runs_auditevent", "auth_group"],
        )
        if not cursor.fetchone()[0]:
            return
    grant_app_role(using=using)
    create_permissions(app_config, verbosity=0, using=using)
    make_groups(using=using)


def grant_app_role(*, using: str) -> None:
    """Give the app role (the user of ``default``) exactly what it needs on this app's tables, and no more.

    Does nothing where app and owner are one role: ``manage.py check`` refuses that outside DEBUG.
    """
    app_role = settings.DATABASES["default"]["USER"]
    connection = connections[using]
    if app_role == connection.settings_dict["USER"]:
        return
    statements = sql.SQL(control_sql.read("grants.sql")).format(app=sql.Identifier(app_role))
    with connection.cursor() as cursor:
        cursor.execute(statements.as_string(connection.connection))


def make_groups(*, using: str) -> None:
    """One group per role. Each may view everything of this app; services decide what it may do."""
    models = [model._meta.model_name for model in apps.get_app_config("migration_runs").get_models()]
    views = Permission.objects.using(using).filter(
        content_type__app_label="migration_runs", codename__in=[f"view_{name}" for name in models]
    )
    for role in Role:
        group, _ = Group.objects.using(using).get_or_create(name=role.value)
        group.permissions.set(views)
