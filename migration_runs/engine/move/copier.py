"""Step 3 of the move protocol: history is copied in chunks that are each one transaction.

A chunk's transaction proves the fencing token, holds the run's copy lock shared (so that nobody
drains keys meanwhile), locks one pending range, copies its next piece and writes that into the
ledger. Whatever kills the worker, a piece is either copied and recorded, or neither; any number of
workers on any number of hosts may take part.

The copier always gives way: a lock that does not come at once, a deadlock or a serialization
failure rolls the chunk back, and it is tried again, smaller, after a pause.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from migration_runs.engine import connection, ledger
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import catalog, chunks, copy_plan, key_words, seats, status, throttle
from migration_runs.engine.move.copy_statements import CopyStatements, How
from migration_runs.engine.move.live_settings import LiveSettings
from migration_runs.engine.move.live_writes import LiveWrites
from migration_runs.engine.move.load import Looker
from migration_runs.engine.outcome import CopyFigures
from migration_runs.exceptions import StepFailed, StopRequested
from migration_runs.runbook.copying import CopySettings

YIELDS = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure, errors.QueryCanceled)

MOST_YIELDS = 100
"""A chunk that gave way this often in a row gives up: somebody holds a lock for minutes."""

CANCELLED_WEIGHT = 20
"""A statement that ran into its timeout counts as so many: it took far longer than a lock is waited for."""

BUSY_PAUSE_S = 0.05
TELL_EVERY_S = 1.0
EXAMPLES = 10


@dataclass(frozen=True)
class Piece:
    """A chunk as it was copied: rows of the source, rows that were inserted, milliseconds."""

    rows: int
    inserted: int
    ms: float


def weight(error: psycopg.Error) -> int:
    """How much a failed try counts towards ``MOST_YIELDS``."""
    return CANCELLED_WEIGHT if isinstance(error, errors.QueryCanceled) else 1


def work(job: Job, reporter: Reporter) -> int:
    """Copy chunks until none is left; how many this worker copied.

    The entry of every chunk worker, the phase's own included. Raises StepFailed when the target
    holds different rows, Fenced when another worker has taken over, StopRequested between chunks
    when a person asked for a pause, TargetUnavailable and psycopg.Error as they come.
    """
    with connection.connect_job(job) as conn:
        return Copier(conn, job, reporter).run()


def help_out(job: Job, reporter: Reporter) -> int:
    """The same as an extra worker: 0 at once when as many as are wanted are at it already."""
    with connection.connect_job(job) as conn:
        settings = job.plan.runbook.move.copying.adjusted(reporter.adjusted())
        seat = seats.take(conn, job.run_uid, workers=settings.workers)
        return 0 if seat is None else Copier(conn, job, reporter, seat=seat).run()


class Copier:
    """One worker on the copy's chunks, with its own session. ``seat`` 0 is the phase's own worker."""

    def __init__(self, conn: psycopg.Connection[Any], job: Job, reporter: Reporter, *, seat: int = 0) -> None:
        self._conn = conn
        self._job = job
        self._reporter = reporter
        self._key = copy_plan.step_key(job)
        self._shape = catalog.resolve(conn, job.plan.runbook.move, job.run_uid)
        self._copy = CopyStatements(self._shape)
        self._seat = seat
        self._live = LiveSettings(self._shape.move.copying, reporter, step=self._key, leads=seat == 0)
        self._size = chunks.ChunkSize(self._live.now())
        self._writes = LiveWrites()
        self._throttle = throttle.Throttle(
            Looker(conn, job), self._live.now, pause=reporter.pause if seat == 0 else None
        )
        self._careful: int | None = None
        self._told = 0.0
        self._yielding = 0.0
        self._untold = Piece(rows=0, inserted=0, ms=0.0)

    def run(self) -> int:
        """Copy until no range is left; how many chunks this worker copied."""
        done = yields = 0
        while True:
            self._look()
            self._throttle.wait(tell=self._wait)
            settings = self._live.now()
            if self._seat >= settings.workers:
                self._tell(None)
                return done  # the number of workers was lowered
            try:
                piece = self._next(settings)
            except errors.UniqueViolation:
                if self._careful is None:
                    raise
                self._writes.collided()
                continue  # the row that was in the way is the forward trigger's: again, with ON CONFLICT
            except YIELDS as error:
                yields += weight(error)
                self._give_way(error, yields)
                continue
            yields = 0
            if piece is not None:
                done += 1
                self._tell(piece)
                self._throttle.rest(piece.ms, tell=self._wait)
            elif copy_plan.copied(self._conn, self._job).left:
                time.sleep(BUSY_PAUSE_S)  # what is left is in the hands of other workers
            else:
                self._tell(None)
                return done

    def _next(self, settings: CopySettings) -> Piece | None:
        """Copy the next piece of a free range in one transaction; None when no range is free."""
        with ledger.fenced(self._conn, self._job), self._conn.cursor() as cur:
            ledger.hold_copy_lock(self._conn, self._job.run_uid)
            claimed = cur.execute(self._copy.claim()).fetchone()
            if claimed is None:
                return None
            started = time.perf_counter()
            part = chunks.Range(
                n=claimed[0],
                lo=chunks.decode(claimed[1]),
                hi=chunks.decode(claimed[2]) or (),
                rows=claimed[3],
            )
            self._writes.noted(claimed[4])
            self._size.follow(settings, live=self._writes.many)
            cur.execute(self._copy.manners())
            cut = cur.execute(self._copy.cut(part, self._size.rows)).fetchone()
            piece = part if cut is None else dataclasses.replace(part, hi=tuple(cut[0]))
            how: How = "plain"
            different = 0
            if copy_plan.one(cur.execute(self._copy.occupied(piece)))[0]:
                how = self._copy.best_beside
                different = self._compare(cur, piece)
            if self._careful == part.n:
                how = "careful"
            # Where a row arrives during a plain insert, that fails, and the next try is careful.
            self._careful = None if how == "careful" else part.n
            cur.execute(self._copy.insert(piece, how))
            inserted = rows = cur.rowcount
            if how != "plain":
                rows = copy_plan.one(cur.execute(self._copy.count(piece)))[0]
            ms = (time.perf_counter() - started) * 1000
            left = chunks.Range(n=part.n + 1, lo=piece.hi, hi=part.hi, rows=max(part.rows - rows, 0))
            cur.execute(
                self._copy.finish(
                    piece,
                    rows=rows,
                    inserted=inserted,
                    different=different,
                    ms=ms,
                    token=self._job.token,
                    left=None if cut is None else left,
                )
            )
        self._careful = None
        self._size.took(rows=rows, ms=ms)
        return Piece(rows=rows, inserted=inserted, ms=ms)

    def _compare(self, cur: psycopg.Cursor[Any], piece: chunks.Range) -> int:
        """How many rows of the piece were different in the target before; they are handed to the drain, which
        overwrites them. Raises StepFailed where the move refuses that."""
        if self._shape.move.on_different == "overwrite":
            cur.execute(self._copy.hand_over(piece))
            return cur.rowcount
        found = cur.execute(self._copy.differing(piece, limit=EXAMPLES)).fetchall()
        if found:
            raise StepFailed(
                f"{self._shape.target} already holds rows that are not what {self._shape.source} says: "
                + key_words.in_words(self._shape, [row[0] for row in found]),
                kept="chunks copied before stand; nothing of this chunk was written",
                next_step="correct or remove those rows, or let the move overwrite them, and retry",
            )
        return 0

    # -- what happens between chunks

    def _look(self) -> None:
        self._reporter.beat()
        if self._reporter.stop_requested():
            raise StopRequested("paused between two chunks", kept="every chunk that was copied")

    def _wait(self, reason: throttle.Reason, waited_s: float) -> None:
        """Called before each pause of the throttle."""
        self._look()
        self._progress(note=reason.text, waited_s=waited_s)

    def _give_way(self, error: psycopg.Error, yields: int) -> None:
        """The chunk was rolled back because the application holds a lock: a smaller one after a pause."""
        self._look()
        if yields >= MOST_YIELDS:
            raise StepFailed(
                f"the copy gave way {yields} times in a row and got no further: {error.diag.message_primary}",
                kept="every chunk that was copied",
                next_step="find the session that holds the lock (pg_locks), then retry",
            ) from error
        self._size.yielded()
        if yields == weight(error):
            self._yielding = time.monotonic()
        self._progress(
            note="giving way to the application: a row or the table is locked",
            waited_s=time.monotonic() - self._yielding,
        )
        time.sleep(chunks.retry_delay(yields))

    def _tell(self, piece: Piece | None) -> None:
        """Progress and one log line, once a second at most; always at the end (None)."""
        if piece is not None:
            so_far = self._untold
            self._untold = Piece(
                so_far.rows + piece.rows, so_far.inserted + piece.inserted, so_far.ms + piece.ms
            )
        if piece is not None and time.monotonic() - self._told < TELL_EVERY_S:
            return
        self._progress(note="")
        if self._untold.rows:
            speed = self._untold.rows / max(self._untold.ms / 1000, 0.001)
            self._reporter.log(
                "info",
                f"copied {self._untold.rows} rows ({self._untold.inserted} inserted), {speed:,.0f} rows/s; "
                f"next chunk {self._size.rows} rows",
                step=self._key,
            )
        self._untold = Piece(rows=0, inserted=0, ms=0.0)

    def _progress(self, *, note: str, waited_s: float = 0.0) -> None:
        self._told = time.monotonic()
        so_far = copy_plan.copied(self._conn, self._job)
        self._reporter.progress(
            self._key, so_far.rows, so_far.total, unit="rows", note=note, waited_s=waited_s,
            figures=self._figures(so_far),
        )  # fmt: skip

    def _figures(self, so_far: copy_plan.Copied) -> CopyFigures:
        touched, oldest_s = status.lag(self._conn, self._shape)
        return CopyFigures(
            chunks=so_far.chunks,
            chunk_rows=self._size.rows,
            longest_ms=so_far.longest_ms,
            touched=touched,
            oldest_s=oldest_s,
        )
