"""Who holds locks on the plan's tables: told to the person whose step cannot get one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import statements
from migration_runs.exceptions import TargetUnavailable
from migration_runs.runbook.plan import Plan


def describe(connect: Callable[[], AbstractContextManager[psycopg.Connection[Any]]], plan: Plan) -> str:
    """Open transactions with locks on the plan's tables, as ``name (user, pid, for how long: tables)``.

    Empty when there is none, or when the target cannot be asked: this only adds to another error.
    """
    try:
        with connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                statements.load("lock_holders"),
                {"tables": [statements.quoted(name) for name in plan.runbook.tables]},
            )
            return "; ".join(
                f"{row['application_name']} ({row['usename']}, pid {row['pid']}, for {row['seconds']} s: "
                f"{row['tables']})"
                for row in cursor
            )
    except (psycopg.Error, TargetUnavailable):
        return ""
