"""Step 6 of the move protocol: source and target compared as a whole, at one moment or bucket by bucket."""

from __future__ import annotations

import time
import uuid
from typing import Any

import psycopg

from migration_runs.engine.move import buckets, snapshots
from migration_runs.engine.move.buckets import Bucket, Way
from migration_runs.engine.move.chunks import Bound
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.parts import ALL
from migration_runs.engine.move.snapshots import WORK_MEM
from migration_runs.engine.outcome import Verification
from migration_runs.runbook.plan import Plan

__all__ = ["WORK_MEM", "compare", "in_words", "verify", "verify_range"]


def compare(conn: psycopg.Connection[Any], shape: Shape, *, examples: int, timeout_s: float) -> Verification:
    """Compare everything in one REPEATABLE READ, READ ONLY transaction of ``conn``: what a phase asks for.

    Raises psycopg.errors.QueryCanceled where that takes longer than ``timeout_s``.
    """
    started = time.perf_counter()
    with snapshots.snapshot(conn, timeout_s=timeout_s) as look:
        found = look.compare(shape, part=ALL, examples=examples, overdue_s=snapshots.OVERDUE_S)
        lowest, highest = look.bounds(shape)
    found |= {"lowest": lowest, "highest": highest}
    return Verification(**found, seconds=time.perf_counter() - started)


def verify(
    url: str, plan: Plan, run_uid: uuid.UUID, *, examples: int = snapshots.EXAMPLES, way: Way | None = None
) -> Verification:
    """Compare everything bucket by bucket while it is in use, each bucket in a snapshot of its own.

    Writes nothing. Raises TargetUnavailable; EngineError where the tables are not what the move says, on a
    standby, or where a few rows take longer than a snapshot may live; psycopg.Error.
    """
    with snapshots.session(url, plan, run_uid) as (conn, shape):
        started = time.perf_counter()
        way = way or Way(examples=examples)
        found = [one.found for one in buckets.walk(conn, shape, [Bucket()], way=way)]
        bounds = buckets.bounds(conn, shape)
        return buckets.added(found, shape, seconds=time.perf_counter() - started, bounds=bounds)


def verify_range(
    url: str, plan: Plan, run_uid: uuid.UUID, *, lo: Bound | None, hi: Bound | None, way: Way | None = None
) -> Verification:
    """The same for the rows in ``(lo, hi]`` of the move's order, in one snapshot.

    None leaves that end open.
    """
    with snapshots.session(url, plan, run_uid) as (conn, shape):
        return buckets.compare(conn, shape, Bucket(lo, hi), way=way or Way())


def in_words(found: Verification) -> str:
    """The report's figures in one sentence."""
    return (
        f"{found.source_rows} rows in the source, {found.target_rows} in the target: "
        f"{found.missing} missing, {found.extra} extra, {found.different} different, "
        f"{found.pending} still to be drained"
    )
