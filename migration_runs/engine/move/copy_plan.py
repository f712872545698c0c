"""What a copy has to do and how far it is, as the ledger says: its ranges, planned once, and its tally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from migration_runs.engine import ledger
from migration_runs.engine.job import Job
from migration_runs.engine.move import chunks
from migration_runs.engine.move.copy_statements import CopyStatements
from migration_runs.engine.move.names import Shape
from migration_runs.exceptions import EngineError, StepFailed
from migration_runs.runbook.steps import CopyStep

SAMPLED_ROWS = 20_000


@dataclass(frozen=True)
class Copied:
    """What the ledger says of the run's copy.

    Rows copied, rows of all ranges, rows inserted, rows that were different; chunks done, ranges left;
    milliseconds that the longest chunk took.
    """

    rows: int
    total: int
    inserted: int
    different: int
    chunks: int
    left: int
    longest_ms: float


def step_key(job: Job) -> str:
    """The key of the plan's step that copies chunks. Raises EngineError when the phase has none."""
    for step in job.plan.runbook.phase(job.phase).steps:
        if isinstance(step, CopyStep) and step.part == "chunks":
            return step.key
    raise EngineError(f"phase {job.phase} of the plan copies nothing")


def plan_ranges(conn: psycopg.Connection[Any], job: Job, shape: Shape) -> int:
    """Fix the copy's upper bound and cut it into ranges, unless that was done before; rows to copy.

    Only after the forward trigger is on: rows above the bound are the trigger's. Raises StepFailed
    when the chunk column is NULL in a row, which would then be in no chunk.
    """
    before = copied(conn, job)
    if before.chunks or before.left:
        return before.total
    copy = CopyStatements(shape)
    rows, unplaced, last = one(conn.execute(copy.extent()))
    if unplaced:
        raise StepFailed(
            f"{unplaced} rows of {shape.source} have no {shape.move.chunk_column} and would be in no chunk",
            kept="nothing was copied",
            next_step=f"fill {shape.move.chunk_column}, or cut the copy by another column",
        )
    if last is None:
        return 0
    workers = shape.move.copying.most_workers
    ranges: tuple[chunks.Range, ...]
    sample: list[chunks.Bound] = []
    if workers > 1:
        percent = min(100.0, 100.0 * SAMPLED_ROWS / max(int(rows), 1))
        sample = [tuple(row[0]) for row in conn.execute(copy.sample(percent)).fetchall()]
    ranges = chunks.split(sample, last=tuple(last), rows=int(rows), ranges=workers * chunks.RANGES_PER_WORKER)
    with ledger.fenced(conn, job):
        for part in ranges:
            conn.execute(copy.add_range(part))
    return int(rows)


def copied(conn: psycopg.Connection[Any], job: Job) -> Copied:
    """How far the run's copy is, from the ledger."""
    row = one(conn.execute(CopyStatements.tally(job.run_uid)))
    rows, total, inserted, different, done, left = (int(value) for value in row[:6])
    return Copied(rows, total, inserted, different, done, left, longest_ms=float(row[6]))


def one(cur: psycopg.Cursor[Any]) -> Any:
    """The row of a query that always has one."""
    row = cur.fetchone()
    assert row is not None
    return row
