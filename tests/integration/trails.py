"""Trails to look at: a few events that are chained as ever, or a great many without a chain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection, transaction
from django.test import Client

from migration_runs.models import Run
from migration_runs.phases import Role
from migration_runs.services import audit, people
from tests.control import make_people

TRAIL = "/admin/migration_runs/auditevent/"
EXPORT = f"{TRAIL}export/"
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def tell(
    actor: str = "test",
    action: str = "run.hold",
    thing: str = "a thing",
    *,
    detail: Mapping[str, Any] | None = None,
    run: Run | None = None,
) -> int:
    """Write an event; its number."""
    with transaction.atomic():
        who = people.Actor(name=actor, how="web")
        return audit.append(actor=who, action=action, object=thing, detail=detail, run=run).seq


def fill(superuser_dsn: str, events: int, *, run: int) -> None:
    """So many events, one a minute from ``FIRST`` on, without a chain, for what it costs to find some.

    One in 100 is a refusal, one in 50 is of ``run``, one in 1000 is by ``rare``.
    """
    with psycopg.connect(superuser_dsn, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute(
            "INSERT INTO migration_runs_auditevent "
            "(seq, at, run_id, actor, actor_how, action, object, detail, prev_hash, hash) "
            "SELECT n, %s::timestamptz + n * interval '1 minute', CASE WHEN n %% 50 = 0 THEN %s::bigint END, "
            "CASE WHEN n %% 1000 = 0 THEN 'rare' ELSE 'person' || n %% 7 END, 'web', "
            "CASE WHEN n %% 100 = 0 THEN 'refused.sign' ELSE 'run.hold' END, 'a thing', '{}', '', '' "
            "FROM generate_series(1, %s) AS n",
            [FIRST, run, events],
        )
        conn.execute("ANALYZE migration_runs_auditevent")


def damage(superuser_dsn: str, statement: str) -> None:
    """What somebody with every right might do: triggers off, then the statement."""
    with psycopg.connect(superuser_dsn, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute(statement.encode())


def auditor() -> Client:
    """A browser of the auditor."""
    client = Client()
    client.force_login(make_people()[Role.AUDITOR])
    return client


def superuser(cluster: Any) -> str:
    """Address of the control database of this test for somebody with every right."""
    return str(cluster.superuser_dsn(connection.settings_dict["NAME"]))
