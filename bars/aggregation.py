"""The aggregator: makes 5m bars from 1m, and 1h bars from 5m, for whatever is due.

Legacy and migrated code call the same functions; which table those read is the database's business. It
identifies itself by version all the same, so that a deployment can be observed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bars import deployment, service, sql_files, verdicts
from bars.exceptions import DerivationFailed

logger = logging.getLogger(__name__)

LOOKBACK = {"5m": timedelta(minutes=30), "1h": timedelta(hours=1)}
"""How far before its cursor a run starts again: bars are corrected up to 15 minutes late."""

_LONGEST_RUN = timedelta(days=60)


@dataclass(frozen=True)
class DueTask:
    """One task that may run: its cursor (start of the next window), and how far its source reaches."""

    symbol: str
    timeframe: str
    cursor: datetime
    reach: datetime


class Aggregator:
    """The aggregator as a worker of ``bars.service``."""

    component: deployment.Component = "aggregator"

    def prepare(self, conn: psycopg.Connection[Any], *, version: deployment.Version) -> None:
        """Nothing is kept in the session."""

    def tick(self, conn: psycopg.Connection[Any]) -> None:
        """Run every due task once.

        A task that fails does not stop the others; the last failure is raised when all have run, so that it
        is logged.
        """
        failure: DerivationFailed | None = None
        for task in due_tasks(conn):
            try:
                run_task(conn, task)
            except DerivationFailed as error:
                failure = error
        if failure is not None:
            raise failure


def due_tasks(conn: psycopg.Connection[Any]) -> list[DueTask]:
    """Return the tasks that are due and whose source reaches beyond a whole window; cursors are bootstrapped.

    A window counts as whole when the market's clock is past its end plus the task's delay *and* the source
    has been ingested that far, so a late feed leaves no hole.
    """
    tasks = []
    for symbol, timeframe, stored_cursor, reach in conn.execute(sql_files.read("aggregation/due")):
        cursor = stored_cursor
        if cursor is None:
            row = conn.execute("SELECT public.agg_bootstrap_cursor(%s, %s)", [symbol, timeframe]).fetchone()
            cursor = row[0] if row else None
        if cursor is not None and reach is not None and cursor < reach:
            tasks.append(
                DueTask(
                    symbol=symbol,
                    timeframe=timeframe,
                    cursor=cursor.astimezone(UTC),
                    reach=reach.astimezone(UTC),
                )
            )
    return tasks


def run_task(conn: psycopg.Connection[Any], task: DueTask) -> bool:
    """Aggregate one task up to its reach and move its cursor; False when another aggregator has it.

    Raises ``DerivationFailed`` after the failure was recorded in the task's state.
    """
    key = {"symbol": task.symbol, "timeframe": task.timeframe}
    started = conn.execute("SELECT public.agg_start(%(symbol)s, %(timeframe)s)", key).fetchone()
    if not started or not started[0]:
        return False
    stop = min(task.reach, task.cursor + _LONGEST_RUN)
    try:
        with conn.transaction():
            verdicts.call(
                conn,
                sql_files.read("aggregation/catch_up"),
                key | {"start": task.cursor - LOOKBACK[task.timeframe], "stop": stop},
            )
            conn.execute(
                "SELECT public.agg_finish(%(symbol)s, %(timeframe)s, true, %(stop)s)", key | {"stop": stop}
            )
    except DerivationFailed as error:
        hard = not service.is_transient(error.sqlstate)
        conn.execute(
            "SELECT public.agg_finish(%(symbol)s, %(timeframe)s, false, NULL, %(error)s, %(hard)s)",
            key | {"error": str(error), "hard": hard},
        )
        raise
    return True
