"""Health checks, the monitoring window and the trading calendar, as declared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from migration_runs.runbook.base import Frozen, SqlFile


class Bound(Frozen):
    """A condition on a measured number; every given part must hold."""

    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None
    equals: float | None = None


class Shown(Frozen):
    """A second number of a check's query, its column ``shown``, which judges nothing: it gets a chart."""

    title: str
    unit: Literal["seconds", "count", "price", "number"] = "number"


class Check(Frozen):
    """A health check: a query that measures one number, and the bounds that judge it.

    The query returns one row: ``value`` (number, NULL means no data and fails) and ``detail``
    (text). It may use the parameters ``%(now)s`` (market clock), ``%(switched_at)s`` (market time
    at which the observed switch was proven, NULL before), ``%(since)s`` (market time of the check
    before), ``%(open_from)s`` (start of the current open session, NULL when closed), ``%(period_from)s``
    (where
    counting begins: one interval before now, and at least 2 s of real time) and the plan's own parameters.
    ``unit`` seconds marks a duration on the market clock: its bounds never shrink below 2 s of real
    time. ``when_closed``: ``same`` judges as ever; ``closed`` gives the verdict closed;
    ``lag`` runs ``closed_sql`` instead and judges it by ``closed_pass`` (else fail).
    ``builtin`` checks need no SQL: ``verification`` (last live verification clean).
    ``in_window`` false keeps a check out of the hourly round (phase 6 only). With ``shows`` the query returns
    ``shown`` too, a number to be charted.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    title: str
    why: str = ""
    unit: Literal["seconds", "count", "price", "number"] = "number"
    sql: SqlFile | None = None
    builtin: Literal["verification"] | None = None
    passes: Bound | None = None
    warns: Bound | None = None
    otherwise: Literal["fail", "warn"] = "fail"
    when_closed: Literal["same", "closed", "lag"] = "same"
    closed_sql: SqlFile | None = None
    closed_pass: Bound | None = None
    scale_by_open: bool = False
    in_window: bool = True
    what_to_do: str = ""
    shows: Shown | None = None


class Session(Frozen):
    """A weekly trading session in UTC, ``"Sun 22:00"`` to ``"Fri 22:00"``, half-open."""

    opens: str = Field(pattern=r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d$")
    closes: str = Field(pattern=r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d$")


class Window(Frozen):
    """The monitoring window, in hours of the target's market clock."""

    hours: float = 24.0
    interval_minutes: float = 60.0
    min_open_checks: int = 0
    sessions: tuple[Session, ...] = ()
