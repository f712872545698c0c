"""Whether the runner's role sees other sessions and standbys: what it does not see would count as no load.

PostgreSQL does not refuse a role without ``pg_read_all_stats``. It shows it others' sessions without their
state and transactions, and standbys without their place: an idle server that nobody follows.
"""

from __future__ import annotations

from typing import Any

import psycopg

from migration_runs.exceptions import StepFailed
from migration_runs.runbook.copying import CopySettings
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import CopyStep

NEEDING = (
    "max_replication_lag_s", "critical_replication_lag_s", "max_active_sessions", "critical_active_sessions",
)  # fmt: skip
"""Limits that look at standbys and at sessions of others."""


def require_for(conn: psycopg.Connection[Any], plan: Plan) -> None:
    """What the plan's copy needs to see, if it has one. Raises StepFailed naming the limits and the grant."""
    copies = any(isinstance(step, CopyStep) for phase in plan.runbook.phases for step in phase.steps)
    if copies:
        require(conn, limits(plan.runbook.move.copying))


def limits(settings: CopySettings) -> str:
    """The limits of these settings that look at other sessions, in words."""
    return ", ".join(name for name in NEEDING if settings.value(name) is not None)


def require(conn: psycopg.Connection[Any], used_by: str) -> None:
    """Raises StepFailed when this session's role does not see what ``used_by`` looks at."""
    row = conn.execute("SELECT current_user::text, pg_has_role('pg_read_all_stats', 'USAGE')").fetchone()
    assert row is not None
    role, sees = row
    if not sees:
        raise StepFailed(
            f"the role {role} sees neither other sessions' transactions nor standbys, so these would say "
            f"nothing: {used_by}",
            kept="everything that was committed before",
            next_step=f"GRANT pg_read_all_stats TO {role}, then retry",
        )
