"""What was touched since the last look, compared: keys that were drained, and the end where new rows come.

This costs little while nothing is wrong, so it is done often. A key that was drained is noted in the drain's
own transaction and forgotten once it was found equal. A row whose key is new leaves no note: it is found here
if it lies at the end of the move's order, and by the full pass wherever it lies.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import ledger, statements
from migration_runs.engine.job import Job
from migration_runs.engine.move import buckets, columns, run_tables, second_look, snapshots
from migration_runs.engine.move.buckets import Bucket, Way
from migration_runs.engine.move.chunks import Bound
from migration_runs.engine.move.names import Column, Shape
from migration_runs.engine.move.ordering import Order
from migration_runs.engine.move.parts import Keys, Places, Range
from migration_runs.engine.outcome import Verification

BATCH = 5_000
"""Keys per snapshot."""

TAIL_ROWS = 2_000
"""So many rows before the last known end are compared again: writers need not keep to the order exactly."""


@dataclass(frozen=True)
class Looked:
    """What a look at the touched places found. ``keys`` were noted, found equal and forgotten.

    ``tail``: up to here the end has been compared and found equal; to be given to the next look. ``end`` is
    where it was taken to begin this time.
    """

    found: Verification
    keys: int
    tail: Bound | None
    end: Bound | None


def verify(job: Job, *, tail: Bound | None = None, way: Way | None = None) -> Looked:
    """Compare what was touched since the last look. Forgets keys that it found equal, under the job's token.

    Raises Fenced, TargetUnavailable, EngineError as the whole verification does, psycopg.Error.
    """
    with snapshots.session(job.target_url, job.plan, job.run_uid) as (conn, shape):
        return look(conn, job, shape, tail=tail, way=way or Way())


def look(conn: psycopg.Connection[Any], job: Job, shape: Shape, *, tail: Bound | None, way: Way) -> Looked:
    """:func:`verify` on an open session."""
    started = time.perf_counter()
    places = Places.of(conn, shape)
    top = _place(conn, shape, places, upto=None, skip=0)
    end = Bucket(lo=_place(conn, shape, places, upto=tail, skip=TAIL_ROWS))
    by_rows = dataclasses.replace(way, digests=False)
    found = [one.found for one in buckets.walk(conn, shape, [end], way=by_rows)]
    equal = not any(part.differing for part in found)
    keys = 0
    if run_tables.exist(conn, shape) and run_tables.complete(conn, shape):
        keys, noted = _Noted(conn, job, shape, places, end, way).compare(forget=equal)
        found += noted
    summed = buckets.added(found, shape, seconds=time.perf_counter() - started, examples=way.examples)
    return Looked(summed, keys, (top or tail) if equal else (tail or end.lo), end.lo)


class _Noted:
    """The noted keys, batch by batch in their order, but for those that lie at the end."""

    def __init__(
        self, conn: psycopg.Connection[Any], job: Job, shape: Shape, places: Places, end: Bucket, way: Way
    ) -> None:
        self._conn, self._job, self._shape, self._way = conn, job, shape, way
        names = {key.source: key.name for key in shape.key}

        def columns_of(wanted: Iterable[str]) -> list[Column]:
            return [dataclasses.replace(shape.source.columns[name], name=names[name]) for name in wanted]

        self._order = Order("k", columns_of(names))
        placed = Order("k", columns_of(places.columns), bytewise=places.bytewise)
        self._before_end: sql.Composable = placed.within(None, end.lo) if end.lo else sql.SQL("false")

    def compare(self, *, forget: bool) -> tuple[int, list[Verification]]:
        """How many were forgotten (with ``forget``: of batches without a difference), and what was seen."""
        after: Bound | None = None
        forgotten = 0
        found: list[Verification] = []
        while True:
            seen = self._conn.execute("SELECT pg_current_snapshot()::text").fetchone()
            assert seen is not None
            upto = _cut(self._conn, self._shape, self._order, after)
            within = self._order.within(after, upto)
            found.append(self._batch(within))
            if forget and not found[-1].differing:
                forgotten += self._forget(within, seen[0])
            if upto is None:
                return forgotten, found
            after = upto

    def _batch(self, within: sql.Composable) -> Verification:
        listed = sql.SQL("(SELECT {} FROM {} AS k WHERE {} AND {}) AS k").format(
            columns.key_list(self._shape, None), self._shape.dirty, within, self._before_end
        )
        return second_look.compare(
            self._conn,
            self._shape,
            Keys(listed),
            timeout_s=self._way.max_age_s,
            examples=self._way.examples,
            overdue_s=self._way.overdue_s,
        )

    def _forget(self, within: sql.Composable, snapshot: str) -> int:
        """Those noted by drains that were over when ``snapshot`` was taken, before the comparison."""
        with ledger.fenced(self._conn, self._job):
            return self._conn.execute(
                statements.compose(
                    "dirty_forget", dirty=self._shape.dirty, range=within, snapshot=sql.Literal(snapshot)
                )
            ).rowcount


def _cut(conn: psycopg.Connection[Any], shape: Shape, order: Order, after: Bound | None) -> Bound | None:
    row = conn.execute(
        statements.compose(
            "dirty_cut",
            dirty=shape.dirty,
            range=order.within(after, None),
            order=order.by,
            order_text=order.text,
            skip=sql.Literal(BATCH - 1),
        )
    ).fetchone()
    return tuple(row[0]) if row else None


def _place(
    conn: psycopg.Connection[Any], shape: Shape, places: Places, *, upto: Bound | None, skip: int
) -> Bound | None:
    row = conn.execute(
        statements.compose(
            "tail_place",
            source=shape.source.sql,
            rows=Range(places, None, upto).rows(shape, "source"),
            order_text=places.source.text,
            order_down=places.source.by_down,
            skip=sql.Literal(skip),
        )
    ).fetchone()
    return tuple(row[0]) if row else None
