"""Health checks: measure one number on the target and judge it.

A check never crashes the worker that runs it: one that cannot be measured, or measures nothing, is a
failure with its reason, since silence is no sign of health. Rules of judging:

* A duration (``unit`` seconds) is one of the market's clock. Its upper bounds never shrink below 2 s of real
  time, because on a compressed clock the machine's own delays would decide.
* A duration measured while the market was closed says nothing about the writers, so after a reopening a
  check with ``when_closed`` other than ``same`` counts from the reopening at the earliest.
* A count with ``scale_by_open`` is asked for in proportion to the open part of its period.
* In closed hours a check reads *closed*; with ``lag`` only if its second query passes, else *fail*.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from migration_runs.engine import calendar, clock, connection, script
from migration_runs.engine.bounds import REAL_FLOOR_S, describe, floored, holds
from migration_runs.engine.job import Job
from migration_runs.engine.move import verification
from migration_runs.engine.outcome import CheckOutcome, Verdict, Verification
from migration_runs.exceptions import EngineError
from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.monitoring import Bound, Check
from migration_runs.runbook.plan import Plan


@dataclass(frozen=True)
class _Moment:
    """When a check looks, and over what: ``period_from`` is where its counting begins."""

    now: datetime
    since: datetime | None
    is_open: bool
    open_from: datetime | None
    period_from: datetime
    open_part: float


@dataclass(frozen=True)
class _Judged:
    verdict: Verdict
    value: float | None
    detail: str
    bound: str = ""
    shown: float | None = None


def run_check(
    job: Job, check_key: str, *, since: datetime | None, verified: Verification | None = None
) -> CheckOutcome:
    """Measure the plan's check ``check_key`` now. ``since`` is the market time of the check before it.

    ``verified`` is the run's latest live verification, for a ``builtin`` check; without it one is made now.
    Raises KeyError for a check that the plan does not have, and nothing else: what goes wrong on the
    target is the verdict *fail*.
    """
    plan = job.plan
    check = plan.runbook.check(check_key)
    started = time.monotonic()
    moment: _Moment | None = None
    try:
        with connection.connect(
            job.target_url, application_name=connection.application_name(job.run_uid, job.worker)
        ) as conn:
            moment = _moment(conn, plan, since)
            judged = _judge(conn, job, check, moment, verified)
    except (EngineError, psycopg.Error) as error:
        judged = _Judged("fail", None, f"the check could not be measured: {_reason(error)}")
    return CheckOutcome(
        check=check.key,
        verdict=judged.verdict,
        value=judged.value,
        detail=judged.detail,
        bound=judged.bound,
        market_now=moment.now if moment else datetime.now(UTC),
        market_open=moment.is_open if moment else True,
        seconds=time.monotonic() - started,
        shown=judged.shown,
    )


def _moment(conn: psycopg.Connection[Any], plan: Plan, since: datetime | None) -> _Moment:
    window = plan.runbook.window
    now = clock.market_now(conn, plan)
    interval = window.interval_minutes * 60
    floor = REAL_FLOOR_S * plan.clock_speed
    start = now - timedelta(seconds=max(interval, floor))
    # The writers' own delay must not count against them just after a reopening.
    opened = calendar.open_seconds(window.sessions, start, now)
    if opened < (now - start).total_seconds():
        opened = max(opened - floor, 0.0)
    return _Moment(
        now=now,
        since=since,
        is_open=calendar.is_open(window.sessions, now),
        open_from=calendar.open_from(window.sessions, now),
        period_from=start,
        open_part=min(opened / interval, 1.0) if interval else 1.0,
    )


def _judge(
    conn: psycopg.Connection[Any], job: Job, check: Check, moment: _Moment, verified: Verification | None
) -> _Judged:
    if check.builtin == "verification":
        return _judge_verification(job, verified)
    if not moment.is_open and check.when_closed != "same":
        return _judge_closed(conn, job, check, moment)
    return _judge_value(conn, job, check, moment)


def _judge_value(conn: psycopg.Connection[Any], job: Job, check: Check, moment: _Moment) -> _Judged:
    if check.sql is None:
        return _Judged("fail", None, "the check has no query")
    value, detail, shown = _measure(conn, job, check.sql, moment, shows=check.shows is not None)
    if value is None:
        return _Judged("fail", None, detail or "there is no data to judge")
    passes = _adjusted(check.passes, check, job.plan, moment)
    warns = _adjusted(check.warns, check, job.plan, moment)
    bound = f"pass {describe(passes, check.unit)}"
    if warns is not None:
        bound += f"; warn {describe(warns, check.unit)}"
    judged_value = value
    if check.unit == "seconds" and check.when_closed != "same" and moment.open_from is not None:
        judged_value = min(value, (moment.now - moment.open_from).total_seconds())
    if passes is None or holds(passes, judged_value):
        return _Judged("pass", value, detail, bound, shown)
    if (warns is not None and holds(warns, judged_value)) or check.otherwise == "warn":
        return _Judged("warn", value, detail, bound, shown)
    return _Judged("fail", value, detail, bound, shown)


def _judge_closed(conn: psycopg.Connection[Any], job: Job, check: Check, moment: _Moment) -> _Judged:
    if check.when_closed == "closed" or check.closed_sql is None:
        return _Judged("closed", None, "the market is closed")
    value, detail, _ = _measure(conn, job, check.closed_sql, moment)
    bound = _adjusted(check.closed_pass, check, job.plan, moment)
    words = f"while closed: {describe(bound, check.unit)}"
    if value is None:
        return _Judged("fail", None, detail or "there is no data to judge", words)
    passed = bound is None or holds(bound, value)
    return _Judged("closed" if passed else "fail", value, detail, words)


def _judge_verification(job: Job, verified: Verification | None) -> _Judged:
    result = verified or verification.verify(job.target_url, job.plan, job.run_uid)
    wrong = result.differing + result.overdue + len(result.broken_rules)
    detail = (
        f"{result.source_rows} source and {result.target_rows} target rows: {result.missing} missing, "
        f"{result.extra} extra, {result.different} different, {result.pending} on their way"
    )
    if result.overdue:
        detail += f", {result.overdue} of them too long"
    if result.broken_rules:
        detail += f"; rules broken: {', '.join(result.broken_rules)}"
    return _Judged("pass" if result.clean else "fail", float(wrong), detail, "pass equal to 0")


def _measure(
    conn: psycopg.Connection[Any], job: Job, file: SqlFile, moment: _Moment, *, shows: bool = False
) -> tuple[float | None, str, float | None]:
    """The query's value, its detail, and with ``shows`` the number that is only shown."""
    parameters = {
        **job.plan.parameters,
        "now": moment.now,
        "since": moment.since or script.NoTime(),
        "switched_at": job.switched_at or script.NoTime(),
        "open_from": moment.open_from or script.NoTime(),
        "period_from": moment.period_from,
    }
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        rows = script.execute(conn, file, parameters)
    if not rows:
        return None, "", None
    if len(rows) != 1 or "value" not in rows[0]:
        raise EngineError(f"{file.path} must return one row with value (and detail); it returned {len(rows)}")
    if shows and "shown" not in rows[0]:
        raise EngineError(f"{file.path} must return shown too, since its check shows a number")
    row, detail = rows[0], rows[0].get("detail")
    number = _number(row["value"], "value", file)
    shown = _number(row["shown"], "shown", file) if shows else None
    return number, "" if detail is None else str(detail), shown


def _number(value: Any, name: str, file: SqlFile) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise EngineError(f"{file.path} must return a number as its {name}, not {value!r}") from error


def _adjusted(bound: Bound | None, check: Check, plan: Plan, moment: _Moment) -> Bound | None:
    """The bound after flooring (durations) and scaling (counts after a reopening)."""
    if bound is None:
        return None
    bound = floored(bound, check, plan.clock_speed)
    changes: dict[str, float] = {}
    if check.scale_by_open:
        changes |= {
            name: value * moment.open_part
            for name, value in (("above", bound.above), ("at_least", bound.at_least))
            if value is not None
        }
        if moment.open_part == 0.0 and bound.above is not None:
            changes["above"] = -1.0  # nothing can be asked of a period without an open second
    return bound.model_copy(update=changes)


def _reason(error: Exception) -> str:
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or str(error).strip() or type(error).__name__
    return str(error)
