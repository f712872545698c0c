"""What a signature is bound to besides the plan: which database it is, and the schema that it depends on."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

from migration_runs.engine import statements
from migration_runs.exceptions import EngineError
from migration_runs.runbook.plan import Plan


def fingerprint(conn: psycopg.Connection[Any], plan: Plan) -> str:
    """SHA-256 of the plan's tables and functions as they are now, 64 hexadecimal digits.

    Covers columns, constraints, indexes, policies, triggers other than the run's own, and the definitions
    of declared functions. Object ids, statistics and rows do not enter: equal schemas on two servers have
    equal fingerprints.
    """
    digest = hashlib.sha256()
    for line in lines(conn, plan):
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()


def lines(conn: psycopg.Connection[Any], plan: Plan) -> list[str]:
    """What the fingerprint is made of, sorted: two lists compared name what drifted."""
    rows = conn.execute(
        statements.load("fingerprint"),
        {
            "tables": [statements.quoted(name) for name in plan.runbook.tables],
            "functions": [_plain(name) for name in plan.runbook.functions],
        },
    ).fetchall()
    return sorted(row[0] for row in rows)


def identity(conn: psycopg.Connection[Any]) -> str:
    """``<system identifier>:<database>``: the same for this database alone, whatever its address is called.

    Raises EngineError where the role may not ask for the system identifier.
    """
    try:
        row = conn.execute(
            "SELECT (pg_control_system()).system_identifier::text || ':' || current_database()"
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise EngineError(
            "the role may not read the server's system identifier",
            kept="nothing was changed",
            next_step="grant EXECUTE on pg_control_system() to the runner's role",
        ) from error
    assert row is not None
    return str(row[0])


def _plain(function: str) -> str:
    """``schema.name`` without argument types; a name without a schema is in ``public``."""
    name = function.partition("(")[0].strip()
    return name if "." in name else f"public.{name}"
