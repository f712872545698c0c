"""What a worker (or a person's terminal) does to verify a run: claim it, have the engine compare, keep,
report.

One at a time for each run. A pass that is killed is gone on with by whoever comes next; while a long one is
under way, what was touched is looked at in between, so that steady writes are compared soon.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings

from migration_runs import work
from migration_runs.advisory import alone
from migration_runs.engine import data_rules
from migration_runs.engine.job import Job
from migration_runs.engine.move import buckets, snapshots, touched
from migration_runs.engine.move.chunks import Bound, decode, encode
from migration_runs.engine.move.names import Shape
from migration_runs.engine.outcome import RuleFound
from migration_runs.exceptions import Refused
from migration_runs.models import Run, VerificationPass, VerificationReport
from migration_runs.services import verification, verification_passes

LOOK_EVERY_S = 20.0
"""While a long pass is under way, what was touched is compared each so many seconds."""

SWEEPS_OF_LAG = 3
"""A key that waits for longer than so many sweeps is not waiting for the next drain."""


@dataclass(frozen=True)
class Progress:
    """How far a verification is. ``rows_expected`` is 0 where nobody knows."""

    buckets: int
    rows: int
    rows_expected: int
    differing: int


Tell = Callable[[Progress], None]


class Busy(Refused):
    """Another worker verifies the run now."""


def full(
    run_id: int, *, digests: bool = False, worker: str | None = None, tell: Tell | None = None
) -> VerificationReport:
    """Compare every bucket that the run's open pass (or a new one) has left; the report.

    Raises Busy, EngineError (TargetUnavailable among them), psycopg.Error; the pass then stays open.
    """
    with _alone(run_id) as run:
        # Open before the target is asked, so that there is something to say what is in the way.
        current = verification_passes.begin(run_id, digests=digests)
        with _session(run, worker) as verifier:
            verification_passes.take_up(current, worker=verifier.job.worker)
            rules = verifier.go_through(current, tell)
            found, in_buckets = verification_passes.summed(current)
            lowest, highest = buckets.bounds(verifier.conn, verifier.shape)
            number = verification_passes.finish(current)
            return verification.record(
                run_id,
                found.between(lowest, highest),
                worker=verifier.job.worker,
                rules=[*in_buckets, *rules],
                part_of=current,
                buckets=number,
            )


def look(run_id: int, *, worker: str | None = None) -> VerificationReport:
    """Compare what was touched since the last look; the report. Raises as :func:`full`, and Fenced."""
    with _alone(run_id) as run, _session(run, worker) as verifier:
        return verifier.look()


@contextlib.contextmanager
def _alone(run_id: int) -> Iterator[Run]:
    run = Run.objects.select_related("plan").get(pk=run_id)
    with alone("verify", run_id) as taken:
        if not taken:
            raise Busy(
                f"{run.name} is being verified by another worker. Its report will be on the run's page.",
                rule="busy",
            )
        yield run


@contextlib.contextmanager
def _session(run: Run, worker: str | None) -> Iterator[_Verifier]:
    job = work.run_job(run, worker=worker or work.worker_name())
    with snapshots.session(job.target_url, job.plan, job.run_uid) as (conn, shape):
        yield _Verifier(run, job, conn, shape)


class _Verifier:
    """An open session that verifies one run."""

    def __init__(self, run: Run, job: Job, conn: psycopg.Connection[Any], shape: Shape) -> None:
        self.run, self.job, self.conn, self.shape = run, job, conn, shape
        self._overdue_s = max(snapshots.OVERDUE_S, SWEEPS_OF_LAG * float(settings.SWEEP_SECONDS))

    def go_through(self, current: VerificationPass, tell: Tell | None) -> list[RuleFound]:
        """Compare what is left of the pass, keeping each bucket; then the rules that look at everything."""
        way = buckets.Way(look_again=True, digests=current.digests, overdue_s=self._overdue_s)
        looked = time.monotonic()
        done, rows, differing = current.buckets_done, current.rows_done, 0
        for one in buckets.walk(self.conn, self.shape, verification_passes.left(current), way=way):
            verification_passes.keep(current, one, self._rules(one.bucket.lo, one.bucket.hi))
            done, rows = done + 1, rows + max(one.found.source_rows, one.found.target_rows)
            differing += one.found.differing
            if tell is not None:
                tell(Progress(done, rows, current.rows_expected, differing))
            if time.monotonic() - looked > LOOK_EVERY_S:
                self.look()
                looked = time.monotonic()
        return [self._rule(rule) for rule in self.job.plan.runbook.rules if not rule.incremental]

    def look(self) -> VerificationReport:
        """Compare what was touched, and report it."""
        tail = self.run.verifications.exclude(tail="").order_by("-id").values_list("tail", flat=True).first()
        way = buckets.Way(look_again=True, overdue_s=self._overdue_s)
        looked = touched.look(self.conn, self.job, self.shape, tail=decode(tail), way=way)
        verification_passes.look_was_made(self.run.pk)
        return verification.record(
            self.run.pk,
            looked.found,
            worker=self.job.worker,
            kind=VerificationReport.Kind.TOUCHED,
            rules=self._rules(looked.end, None),
            tail=encode(looked.tail) or "",
        )

    def _rules(self, lo: Bound | None, hi: Bound | None) -> Sequence[RuleFound]:
        return [
            self._rule(rule, lo=lo[0] if lo else None, hi=hi[0] if hi else None)
            for rule in self.job.plan.runbook.rules
            if rule.incremental
        ]

    def _rule(self, rule: Any, *, lo: str | None = None, hi: str | None = None) -> RuleFound:
        return data_rules.run(self.conn, self.job.plan, self.shape, rule, lo=lo, hi=hi)
