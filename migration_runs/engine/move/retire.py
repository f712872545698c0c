"""Step 7 of the move protocol, cleanup: source rows retire, each proven equal in the target first.

Reverse stops making new source rows, forward stops taking the target rows of retired ones away. Then rows
are retired in pieces, and what is left is drained and tried again. The last transaction locks both
tables, drains under that lock, asks for 0 active source rows in scope, and only then takes the triggers
off: whoever writes after it meets a table that nobody mirrors any more, and nothing was stranded.

Every piece shows in the rows and in the run's list of gone rows, so that a killed worker's successor
goes on from what it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from migration_runs.engine import connection, ledger
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import (
    catalog,
    chunks,
    drain,
    key_words,
    locking,
    triggers,
    verification,
    walk,
)
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.retire_statements import RetireStatements
from migration_runs.exceptions import EngineError, StepFailed
from migration_runs.runbook.steps import StepBase

LAST_ROWS = 200
MOST_LAST_ROWS = 10_000
MOST_PASSES = 20
EXAMPLES = 10


@dataclass(frozen=True)
class Retired:
    """How cleanup ended: rows that this run retired in all, and passes that this worker needed."""

    rows: int
    passes: int


def last_rows(number: int) -> int:
    """So many rows at most pass ``number`` (from 1) leaves to the last transaction, while all others wait.

    More with every pass: where the application writes faster than a pass works, no pass would ever get below
    a fixed number, and the step would never end.
    """
    return min(LAST_ROWS << (number - 1), MOST_LAST_ROWS)


Applied = Callable[[psycopg.Connection[Any], Retired], None]
"""Called with the connection inside its last transaction."""


def retire(job: Job, reporter: Reporter, step: StepBase, *, applied: Applied) -> Retired:
    """Retire the migrated source rows and take dual-write off.

    ``applied`` writes the ledger's *applied* inside the last transaction.
    Raises StepFailed, naming keys, when a row is not proven equal (the pieces done before stand), and
    EngineError when dual-write is not on in both directions.
    """
    with connection.connect_job(job) as conn:
        shape = catalog.resolve(conn, job.plan.runbook.move, job.run_uid)
        return _Cleanup(conn, job, reporter, step, shape).run(applied)


class _Cleanup:
    def __init__(
        self, conn: psycopg.Connection[Any], job: Job, reporter: Reporter, step: StepBase, shape: Shape
    ) -> None:
        self._conn = conn
        self._job = job
        self._reporter = reporter
        self._step = step
        self._shape = shape
        self._say = RetireStatements(shape)

    def run(self, applied: Applied) -> Retired:
        total = self._prove()
        with ledger.fenced(self._conn, self._job):
            triggers.switch(self._conn, self._job, self._shape, direction="forward", mode="retire")
            triggers.switch(self._conn, self._job, self._shape, direction="reverse", mode="update_only")
        for number in range(1, MOST_PASSES + 1):
            retired = self._pass(total)
            self._drain()
            most = last_rows(number)
            left = self._left(most + 1)
            if left <= most:
                done = self._finish(number, applied)
                if done is not None:
                    return done
            if retired == 0 and left > most:
                break
        raise self._unproven(MOST_PASSES)

    def _prove(self) -> int:
        """Compare everything before the first row is retired; active source rows."""
        on = triggers.installed(self._conn, self._shape)
        if set(on) != {"forward", "reverse"}:
            raise EngineError(
                "cleanup needs dual-write in both directions, and it is not on",
                kept="every row",
                next_step="roll the run back, or find out who took its triggers off",
            )
        self._drain()
        found = verification.compare(
            self._conn, self._shape, examples=EXAMPLES, timeout_s=self._step.statement_timeout_s
        )
        # Once reverse makes no new source rows, rows of the target alone are what new code wrote since.
        extra = found.extra if on["reverse"] == "full" else 0
        if found.missing or found.different or extra:
            keys = [tuple(example.key.values()) for example in found.examples]
            raise StepFailed(
                f"source and target are not equal: {verification.in_words(found)}; first: "
                + key_words.in_words(self._shape, keys),
                kept=self._kept(),
                next_step="find out who wrote these rows, correct them, and retry",
            )
        return found.source_rows

    def _pass(self, total: int) -> int:
        def end(lo: chunks.Bound | None, size: int) -> chunks.Bound | None:
            row = self._conn.execute(self._say.end(lo, size)).fetchone()
            return tuple(row[0]) if row else None

        def work(lo: chunks.Bound | None, hi: chunks.Bound | None) -> int:
            return self._conn.execute(self._say.retire(lo, hi)).rowcount

        return walk.walk(
            self._conn, self._job, self._shape, self._reporter,
            what="cleanup", step=self._step.key, total=total, end=end, work=work,
        )  # fmt: skip

    def _drain(self) -> None:
        drain.settle(self._conn, self._job, self._shape, self._reporter)

    def _left(self, limit: int) -> int:
        row = self._conn.execute(self._say.left(limit=limit)).fetchone()
        return int(row[0]) if row else 0

    def _finish(self, number: int, applied: Applied) -> Retired | None:
        """The last transaction; None when so much came in meanwhile that it would take too long."""

        def under_lock() -> Retired | None:
            with ledger.fenced(self._conn, self._job):
                locking.lock_tables(
                    self._conn,
                    self._shape,
                    lock_ms=self._step.lock_timeout_ms,
                    statement_s=self._step.statement_timeout_s,
                    to_drop=True,
                )
                most = last_rows(number)
                if self._left(most + 1) > most:
                    return None
                drain.settle_locked(self._conn, self._shape)
                self._conn.execute(self._say.retire(None, None))
                if self._left(1):
                    raise self._unproven(number)
                triggers.drop(self._conn, self._job, self._shape, direction="reverse")
                triggers.drop(self._conn, self._job, self._shape, direction="forward")
                done = Retired(rows=gone_rows(self._conn, self._shape), passes=number)
                applied(self._conn, done)
            return done

        return locking.retried(under_lock, what="taking dual-write off", reporter=self._reporter)

    def _unproven(self, passes: int) -> StepFailed:
        keys = [row[0] for row in self._conn.execute(self._say.unproven(limit=EXAMPLES)).fetchall()]
        return StepFailed(
            f"source rows cannot be retired: they are not proven equal in the target after {passes} passes: "
            + key_words.in_words(self._shape, keys),
            kept=self._kept(),
            next_step="find out who writes these rows and why the target does not follow, then retry",
        )

    def _kept(self) -> str:
        rows = gone_rows(self._conn, self._shape)
        return f"dual-write stays on; {rows} rows are retired and come back with a rollback"


def gone_rows(conn: psycopg.Connection[Any], shape: Shape) -> int:
    """How many source rows this run has retired and not revived."""
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(shape.gone)).fetchone()
    return int(row[0]) if row else 0
