"""A move compared bucket by bucket: ranges of the key, a snapshot each, a size that tunes itself.

Buckets adjoin, and the first and the last are open at their ends: every row of either side, also one of the
target beyond all of the source's, lies in exactly one. Their snapshots are short, so that vacuum is not held
up; in exchange a bucket says nothing about the moment of another one.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from migration_runs.engine import statements
from migration_runs.engine.move import second_look, snapshots
from migration_runs.engine.move.chunks import Bound
from migration_runs.engine.move.names import Shape, Side
from migration_runs.engine.move.parts import ALL, Part, Places, Range
from migration_runs.engine.outcome import Verification
from migration_runs.exceptions import EngineError

TARGET_S = 1.0
"""How long the comparison of one bucket should take."""

FIRST_ROWS, LEAST_ROWS, MOST_ROWS = 100_000, 64, 5_000_000

MAX_AGE_S = 30.0
"""No snapshot lives longer: a comparison that would is given up, and its bucket cut in two."""

UNEVEN = 4
"""So many times the rows of the source a bucket may have in the target before the target's cut it."""


@dataclass(frozen=True)
class Bucket:
    """The range ``(lo, hi]`` of the move's order; None leaves that end open.

    ``rows`` is how many it had when it was compared last; None: never, so that it may be cut first.
    """

    lo: Bound | None = None
    hi: Bound | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Digest:
    """Rows of a bucket, and the sum of their 64-bit hashes in every mapped column, equal on both sides."""

    rows: int
    value: str


@dataclass(frozen=True)
class Compared:
    """One bucket was compared. ``taken`` is the one asked for; ``rest`` what is left of it, still to come.

    ``grown``: it has become too large, and is to be cut the next time.
    """

    taken: Bucket
    bucket: Bucket
    rest: Bucket | None
    found: Verification
    digest: Digest | None
    grown: bool


class Size:
    """How many rows the next bucket takes, so that it lasts about a second. At most doubles or halves."""

    def __init__(self, rows: int = FIRST_ROWS) -> None:
        self.rows = rows

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a bucket. One that was short since its range ended says nothing, unless it was slow."""
        if rows * 2 < self.rows and seconds < TARGET_S:
            return
        self._set(min(max(rows * TARGET_S / max(seconds, 1e-3), self.rows / 2), self.rows * 2))

    def too_large(self, rows: int | None) -> bool:
        """Halve it, since a bucket (of so many rows, if known) took too long; False when it is the least."""
        if self.rows <= LEAST_ROWS:
            return False
        self._set(min(self.rows, rows or self.rows) / 2)
        return True

    def _set(self, rows: float) -> None:
        self.rows = min(max(int(rows), LEAST_ROWS), MOST_ROWS)


@dataclass(frozen=True)
class Way:
    """How buckets are compared. ``look_again`` before a difference is reported; ``digests`` first, rows only
    where these differ. ``overdue_s``: a key that waits longer to be drained is no lag."""

    look_again: bool = False
    digests: bool = False
    examples: int = snapshots.EXAMPLES
    max_age_s: float = MAX_AGE_S
    overdue_s: float = snapshots.OVERDUE_S


def compare(conn: psycopg.Connection[Any], shape: Shape, bucket: Bucket, *, way: Way) -> Verification:
    """Compare one bucket as it is, however large. Raises psycopg.errors.QueryCanceled past its time."""
    return _compare(conn, shape, Range(Places.of(conn, shape), bucket.lo, bucket.hi), way)[0]


def walk(
    conn: psycopg.Connection[Any],
    shape: Shape,
    todo: Iterable[Bucket],
    *,
    way: Way,
    size: Size | None = None,
) -> Iterator[Compared]:
    """Compare these buckets, one after the other; one that was never compared is cut to size.

    Whoever keeps what comes out after each can stop at any moment, be killed, and go on with the rest.
    """
    places = Places.of(conn, shape)
    size = size or Size()
    queue = deque(todo)
    while queue:
        taken = queue.popleft()
        hi = taken.hi if taken.rows is not None else _cut(conn, shape, places, taken, size.rows)
        part = Range(places, taken.lo, hi) if (taken.lo or hi) else ALL
        started = time.perf_counter()
        try:
            found, digest = _compare(conn, shape, part, way)
        except errors.QueryCanceled as error:
            if not size.too_large(taken.rows):
                raise EngineError(
                    f"{LEAST_ROWS} rows of {shape.source} and {shape.target} after {_words(taken.lo)} cannot "
                    f"be compared within {way.max_age_s:g} s",
                    kept="every bucket that was compared before",
                    next_step="find out what keeps the target busy (pg_stat_activity), then verify again",
                ) from error
            queue.appendleft(dataclasses.replace(taken, rows=None))
            continue
        seconds = time.perf_counter() - started
        rows = max(found.source_rows, found.target_rows)
        size.took(rows, seconds)
        rest = Bucket(hi, taken.hi) if hi != taken.hi else None
        if rest is not None:
            queue.appendleft(rest)
        yield Compared(
            taken=taken,
            bucket=Bucket(taken.lo, hi, rows),
            rest=rest,
            found=found,
            digest=digest,
            grown=seconds > 2 * TARGET_S and rows > 2 * LEAST_ROWS and rows > size.rows,
        )


def added(
    found: Iterable[Verification],
    shape: Shape,
    *,
    seconds: float,
    examples: int = snapshots.EXAMPLES,
    bounds: tuple[str | None, str | None] = (None, None),
) -> Verification:
    """What the parts found, as one."""
    parts = list(found)
    summed = {
        name: sum(getattr(part, name) for part in parts)
        for name in (
            "source_rows", "target_rows", "missing", "extra", "different", "pending", "overdue", "vanished",
        )
    }  # fmt: skip
    return Verification(
        **summed,
        pending_s=max((part.pending_s for part in parts), default=0.0),
        lowest=bounds[0],
        highest=bounds[1],
        seconds=seconds,
        columns=tuple(shape.move.columns),
        examples=tuple(one for part in parts for one in part.examples)[:examples],
    )


def bounds(conn: psycopg.Connection[Any], shape: Shape) -> tuple[str | None, str | None]:
    """Lowest and highest value of the source's chunk column now."""
    with snapshots.snapshot(conn, timeout_s=MAX_AGE_S) as look:
        return look.bounds(shape)


def _compare(
    conn: psycopg.Connection[Any], shape: Shape, part: Part, way: Way
) -> tuple[Verification, Digest | None]:
    if way.digests:
        started = time.perf_counter()
        with snapshots.snapshot(conn, timeout_s=way.max_age_s) as look:
            source, target = look.digests(shape, part)
        if source == target:
            return _equal(shape, source[0], time.perf_counter() - started), Digest(*source)
    if way.look_again:
        return second_look.compare(
            conn, shape, part, timeout_s=way.max_age_s, examples=way.examples, overdue_s=way.overdue_s
        ), None
    started = time.perf_counter()
    with snapshots.snapshot(conn, timeout_s=way.max_age_s) as look:
        found = look.compare(shape, part=part, examples=way.examples, overdue_s=way.overdue_s)
    return Verification(**found, seconds=time.perf_counter() - started), None


def _equal(shape: Shape, rows: int, seconds: float) -> Verification:
    return Verification(
        source_rows=rows, target_rows=rows, missing=0, extra=0, different=0, pending=0,
        lowest=None, highest=None, seconds=seconds, columns=tuple(shape.move.columns),
    )  # fmt: skip


def _cut(
    conn: psycopg.Connection[Any], shape: Shape, places: Places, bucket: Bucket, rows: int
) -> Bound | None:
    """Where a bucket of about ``rows`` rows ends that begins with this one; its own end if smaller."""
    hi = _nth(conn, shape, places, "source", bucket.lo, bucket.hi, rows)
    # The source's rows say nothing of what the target alone has between them.
    beyond = _nth(conn, shape, places, "target", bucket.lo, hi or bucket.hi, rows * UNEVEN)
    return beyond or hi or bucket.hi


def _nth(
    conn: psycopg.Connection[Any],
    shape: Shape,
    places: Places,
    side: Side,
    lo: Bound | None,
    hi: Bound | None,
    skip: int,
) -> Bound | None:
    order = places.source if side == "source" else places.target
    row = conn.execute(
        statements.compose(
            "bucket_cut",
            table=shape.table(side).sql,
            rows=Range(places, lo, hi).rows(shape, side),
            order=order.by,
            order_text=order.text,
            skip=sql.Literal(skip),
        )
    ).fetchone()
    return tuple(row[0]) if row else None


def _words(lo: Bound | None) -> str:
    return f"({', '.join(lo)})" if lo else "the beginning"
