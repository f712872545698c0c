"""Step 8 of the move protocol: a move is undone without losing a row, from wherever it stands.

:func:`revive` undoes cleanup: reverse goes on again, this run's retired rows come back with the target's
values of now, rows that only the target has are copied back, older transactions are waited for, the list
is drained, forward goes on. Then the application's writers may move back to the source.

:func:`take_off` undoes the copy, after the writers have moved back: dual-write goes, reverse first, and with
the data decision *delete* the rows that this run brought into the target go too, each proven present and
equal in the source. The last transaction holds both tables, so that no row is mirrored anew and left over.

Target rows that were there before the run are never deleted. With *delete* they come back as they were;
with *keep* those that the run overwrote keep the source's value, and those that it removed come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from migration_runs.engine import connection, ledger, timeouts
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import (
    catalog,
    chunks,
    drain,
    key_words,
    locking,
    retire,
    run_tables,
    triggers,
    verification,
    waiting,
    walk,
)
from migration_runs.engine.move.names import Shape
from migration_runs.engine.move.rollback_statements import RollbackStatements
from migration_runs.engine.outcome import Verification
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import StepBase

MOST_PASSES = 20
EXAMPLES = 10
ECHO = "SELECT set_config('phasegate.origin', 'target:0:unlocked', true)"
"""Tells forward's triggers that what follows in this transaction comes from target rows that are not locked:
the application may have written them meanwhile, and has the word."""

PATIENCE_S = 20.0
"""How long a worker waits for older transactions before it gives itself back."""


@dataclass(frozen=True)
class Revived:
    """Source rows that came back and rows copied back; who is still waited for (then call again)."""

    revived: int
    copied_back: int
    waiting_for: tuple[waiting.Older, ...] = ()


@dataclass(frozen=True)
class TakenOff:
    """Target rows deleted, and rows from before the run that were given back."""

    deleted: int
    restored: int


def revive(
    job: Job,
    reporter: Reporter,
    step: StepBase,
    *,
    applied: bool,
    line: waiting.Barrier | None,
    keep_line: Callable[[waiting.Barrier], None],
) -> Revived:
    """Undo cleanup, wherever it stood; source and target are equal and mirrored both ways afterwards.

    ``applied``: whether cleanup had ended. ``line`` is the barrier of an earlier call that ended waiting;
    ``keep_line`` is given a new one to keep. Raises StepFailed when the two sides do not become equal,
    Fenced, LeaseLost, StopRequested.
    """
    with connection.connect_job(job) as conn:
        shape = catalog.resolve(conn, job.plan.runbook.move, job.run_uid)
        if not run_tables.exist(conn, shape):
            return Revived(0, 0)
        return _Revival(conn, job, reporter, step, shape).run(applied, line, keep_line)


def take_off(
    job: Job,
    reporter: Reporter,
    step: StepBase,
    *,
    undone: Callable[[psycopg.Connection[Any], TakenOff], None],
) -> TakenOff:
    """Undo the copy by the plan's data decision and take dual-write off.

    ``undone`` writes the ledger's *undone* inside the last transaction. Raises StepFailed, naming keys, when
    a target row of this run has no equal in the source; what was deleted by then stands, since the source
    has it, and dual-write stays on.
    """
    with connection.connect_job(job) as conn:
        shape = catalog.resolve(conn, job.plan.runbook.move, job.run_uid)
        if not run_tables.exist(conn, shape):
            return TakenOff(0, 0)
        return _TakingOff(conn, job, reporter, step, shape).run(undone)


class _Rollback:
    """What both halves share."""

    def __init__(
        self, conn: psycopg.Connection[Any], job: Job, reporter: Reporter, step: StepBase, shape: Shape
    ) -> None:
        self._conn = conn
        self._job = job
        self._reporter = reporter
        self._step = step
        self._shape = shape
        self._say = RollbackStatements(shape)

    def _walk_target(
        self, what: str, work: Callable[[chunks.Bound | None, chunks.Bound | None], int], total: int
    ) -> int:
        def end(lo: chunks.Bound | None, size: int) -> chunks.Bound | None:
            row = self._conn.execute(self._say.target_end(lo, size)).fetchone()
            return tuple(row[0]) if row else None

        return walk.walk(
            self._conn, self._job, self._shape, self._reporter,
            what=what, step=self._step.key, total=total, end=end, work=work,
        )  # fmt: skip

    def _drain(self) -> None:
        drain.settle(self._conn, self._job, self._shape, self._reporter)

    def _lock(self) -> None:
        locking.lock_tables(
            self._conn,
            self._shape,
            lock_ms=self._step.lock_timeout_ms,
            statement_s=self._step.statement_timeout_s,
            to_drop=True,
        )

    def _verify(self) -> Verification:
        return verification.compare(
            self._conn, self._shape, examples=EXAMPLES, timeout_s=self._step.statement_timeout_s
        )


class _Revival(_Rollback):
    def run(
        self, applied: bool, line: waiting.Barrier | None, keep_line: Callable[[waiting.Barrier], None]
    ) -> Revived:
        on = triggers.installed(self._conn, self._shape)
        untouched = on == {"forward": "mirror", "reverse": "full"} or (not on and not applied)
        if untouched and line is None:
            return Revived(0, 0)  # cleanup had not begun to retire
        revived = copied_back = 0
        if line is None:
            self._reverse_on(on)
            revived = self._revive_gone()
            copied_back = self._walk_target("copying back", self._copy_back, total=0)
            self._forward_on()
            line = waiting.barrier(self._conn, self._job)
            keep_line(line)
        still = waiting.wait(
            self._conn, line, reporter=self._reporter, step=self._step.key, patience_s=PATIENCE_S
        )
        if still:
            return Revived(revived, copied_back, still)
        self._equalise()
        return Revived(revived, copied_back)

    def _reverse_on(self, on: dict[Any, Any]) -> None:
        if "reverse" in on:
            with ledger.fenced(self._conn, self._job):
                triggers.switch(self._conn, self._job, self._shape, direction="reverse", mode="revive")
        else:
            triggers.install(
                self._conn, self._job, self._shape, direction="reverse", mode="revive",
                lock_ms=self._step.lock_timeout_ms, reporter=self._reporter,
            )  # fmt: skip

    def _forward_on(self) -> None:
        """Nothing is retired any more: forward is again what it was before cleanup."""
        if "forward" in triggers.installed(self._conn, self._shape):
            with ledger.fenced(self._conn, self._job):
                triggers.switch(self._conn, self._job, self._shape, direction="forward", mode="mirror")
        else:
            triggers.install(
                self._conn, self._job, self._shape, direction="forward", mode="mirror",
                lock_ms=self._step.lock_timeout_ms, reporter=self._reporter,
            )  # fmt: skip

    def _revive_gone(self) -> int:
        def end(lo: int | None, size: int) -> int | None:
            row = self._conn.execute(self._say.gone_end(lo, size)).fetchone()
            return int(row[0]) if row is not None and row[0] is not None else None

        def work(lo: int | None, hi: int | None) -> int:
            if hi is None:
                return 0
            self._conn.execute(ECHO)
            return self._conn.execute(self._say.revive(lo, hi)).rowcount

        return walk.walk(
            self._conn, self._job, self._shape, self._reporter, what="reviving",
            step=self._step.key, total=retire.gone_rows(self._conn, self._shape), end=end, work=work,
        )  # fmt: skip

    def _copy_back(self, lo: chunks.Bound | None, hi: chunks.Bound | None) -> int:
        self._conn.execute(ECHO)
        return self._conn.execute(self._say.copy_back(lo, hi)).rowcount

    def _equalise(self) -> None:
        """Drain; note and drain what is not equal for another reason; until nothing is left to explain."""
        self._drain()
        found = self._verify()
        for _ in range(MOST_PASSES):
            if not found.differing:
                return
            with ledger.fenced(self._conn, self._job):
                timeouts.local(
                    self._conn,
                    lock_ms=self._step.lock_timeout_ms,
                    statement_s=self._step.statement_timeout_s,
                )
                self._conn.execute(self._say.note())
            self._drain()
            found = self._verify()
        keys = [tuple(example.key.values()) for example in found.examples]
        raise StepFailed(
            f"source and target do not become equal: {verification.in_words(found)}; first: "
            + key_words.in_words(self._shape, keys),
            kept="dual-write is on in both directions; every retired row that the target has is back",
            next_step="find out who writes these rows, then retry the rollback",
        )


class _TakingOff(_Rollback):
    def run(self, undone: Callable[[psycopg.Connection[Any], TakenOff], None]) -> TakenOff:
        self._reverse_off()
        if self._job.plan.data_decision == "keep":
            return self._finish(0, undone)
        deleted = 0
        for number in range(1, MOST_PASSES + 1):
            self._drain()
            now = self._walk_target("deleting copies", self._delete, total=0)
            deleted += now
            most = retire.last_rows(number)
            left = len(self._conn.execute(self._say.left(limit=most + 1)).fetchall())
            if left <= most:
                return self._finish(deleted, undone)
            if now == 0:
                break
        raise self._unproven()

    def _reverse_off(self) -> None:
        """What is deleted from the target from here on must not be withdrawn from the source."""

        def under_lock() -> None:
            with ledger.fenced(self._conn, self._job):
                self._lock()
                drain.settle_locked(self._conn, self._shape)
                triggers.drop(self._conn, self._job, self._shape, direction="reverse")

        if "reverse" in triggers.installed(self._conn, self._shape):
            locking.retried(under_lock, what="taking reverse off", reporter=self._reporter)

    def _delete(self, lo: chunks.Bound | None, hi: chunks.Bound | None) -> int:
        return self._conn.execute(self._say.delete(lo, hi)).rowcount

    def _finish(self, deleted: int, undone: Callable[[psycopg.Connection[Any], TakenOff], None]) -> TakenOff:
        delete = self._job.plan.data_decision == "delete"

        def under_lock() -> TakenOff:
            with ledger.fenced(self._conn, self._job):
                self._lock()
                drain.settle_locked(self._conn, self._shape)
                last = self._delete(None, None) if delete else 0
                if delete and self._conn.execute(self._say.left(limit=1)).fetchone():
                    raise self._unproven()
                triggers.drop(self._conn, self._job, self._shape, direction="forward")
                restored = self._conn.execute(self._say.restore(self._job.plan.data_decision)).rowcount
                if delete:
                    self._conn.execute("DELETE FROM phasegate.chunk WHERE run_id = %s", (self._job.run_uid,))
                result = TakenOff(deleted=deleted + last, restored=restored)
                undone(self._conn, result)
            return result

        return locking.retried(under_lock, what="taking forward off", reporter=self._reporter)

    def _unproven(self) -> StepFailed:
        keys = [row[0] for row in self._conn.execute(self._say.left(limit=EXAMPLES)).fetchall()]
        return StepFailed(
            f"rows of {self._shape.target} have no equal in {self._shape.source} and are not deleted: "
            + key_words.in_words(self._shape, keys),
            kept="these rows; the forward direction of dual-write stays on",
            next_step="find out who wrote them, bring them to the source or remove them, then retry",
        )
