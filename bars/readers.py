"""What a reader of DXY 1m sees in each state: the yardstick for "nothing lost, nothing twice"."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, LiteralString

import psycopg

from bars import sql_files

State = Literal["legacy", "transition", "migrated"]
"""legacy: active derived rows UNION ALL data_bars. transition: the same without the copies of DXY.
migrated: data_bars alone."""

_FETCH = 20_000


@dataclass(frozen=True)
class SeenBar:
    """One row that a reader gets; a minute that is doubled comes as two of them. ``ts`` is UTC."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float


def statement(state: State) -> LiteralString:
    """Return the reader's SQL with the parameters symbol, start, stop (half-open; None: unbounded)."""
    return sql_files.read(f"readers/{state}")


def bars_seen(
    conn: psycopg.Connection[Any],
    *,
    state: State,
    symbol: str = "DXY",
    start: datetime | None = None,
    stop: datetime | None = None,
) -> Iterator[SeenBar]:
    """Yield every 1m bar in [start, stop) that readers in ``state`` see, by time.

    Rows come through a server-side cursor in one transaction, so memory stays flat and the rows are one
    snapshot.
    """
    with conn.transaction(), conn.cursor(name=f"bars_seen_{uuid.uuid4().hex}") as cursor:
        cursor.itersize = _FETCH
        cursor.execute(statement(state), {"symbol": symbol, "start": start, "stop": stop})
        for row in cursor:
            yield SeenBar(row[0].astimezone(UTC), *row[1:])
