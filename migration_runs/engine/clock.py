"""What time it is on the target's market, and how fast that clock runs.

Production keeps its own time. A demo or a rehearsal replays a market on a compressed clock; the speed is
part of the approved plan, so a target whose clock runs otherwise is not the one that was signed for.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import psycopg

from migration_runs.engine import script
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.plan import Plan

TOLERANCE = 0.1
"""How far the measured speed may lie from the plan's, as a part of it."""

MEASURE_S = 0.4
"""Real seconds over which the speed is measured: round trips of some milliseconds vanish in it."""


def market_now(conn: psycopg.Connection[Any], plan: Plan) -> datetime:
    """The target's market time, aware, by the plan's ``clock`` query; without one, the server's own time.

    Raises StepFailed when the query fails, or does not return one time with a time zone.
    """
    if plan.runbook.clock is None:
        row = conn.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        value = row[0]
    else:
        file = plan.runbook.clock
        rows = script.execute(conn, file, plan.parameters)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise StepFailed(f"{file.path} must return the market's time as one value in one row")
        value = next(iter(rows[0].values()))
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise StepFailed(f"the market's clock returned {value!r}, not a time with a time zone")
    return value


def measure_speed(conn: psycopg.Connection[Any], plan: Plan) -> float:
    """Market seconds per second of the server's own clock. The session must be in autocommit."""
    real_a, market_a = _reading(conn, plan)
    time.sleep(MEASURE_S)
    real_b, market_b = _reading(conn, plan)
    return (market_b - market_a).total_seconds() / (real_b - real_a)


def assert_speed(conn: psycopg.Connection[Any], plan: Plan) -> float:
    """The measured speed. Raises StepFailed unless it is the plan's, within ``TOLERANCE``."""
    speed = measure_speed(conn, plan)
    if abs(speed - plan.clock_speed) > TOLERANCE * plan.clock_speed:
        raise StepFailed(
            f"the target's market clock runs at {speed:.2f} market seconds per second; "
            f"the plan was approved for {plan.clock_speed:g}",
            kept="nothing was changed",
            next_step="correct the target's clock, or have a plan approved for this speed",
        )
    return speed


def _reading(conn: psycopg.Connection[Any], plan: Plan) -> tuple[float, datetime]:
    """Server time (seconds, at the middle of the reading) and market time."""
    before = _server_seconds(conn)
    market = market_now(conn, plan)
    return (before + _server_seconds(conn)) / 2, market


def _server_seconds(conn: psycopg.Connection[Any]) -> float:
    row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    return float(row[0])
