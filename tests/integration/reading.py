"""The panel's pages as a person of a test reads them: a client that is logged in, and a page's text."""

from __future__ import annotations

import hashlib
import re

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from migration_runs.phases import Role
from tests.control import Scene


def client_of(person: User, *, csrf: bool = False) -> Client:
    """A client in which the person is logged in."""
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(person)
    return client


def as_role(scene: Scene, role: Role) -> Client:
    """The client of the person who has the role in the scene."""
    return client_of(scene.people[role])


def text_of(response: object) -> str:
    """What a reader sees of a page, without its tags."""
    content = response.content.decode()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", content))


def control_digest() -> str:
    """Everything that the control database holds, but sessions and the moment of the last log-in."""
    found = hashlib.sha256()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
            "AND tablename <> 'django_session' ORDER BY 1"
        )
        for (table,) in cursor.fetchall():
            row = "to_jsonb(t) - 'last_login'"
            cursor.execute(
                f"SELECT coalesce(string_agg(({row})::text, chr(10) ORDER BY ({row})::text), '') "
                f'FROM "{table}" AS t'
            )
            found.update(f"{table}\n{cursor.fetchone()[0]}\n".encode())
    return found.hexdigest()
