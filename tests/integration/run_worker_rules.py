"""Rules of the state machine: what workers, checks and the verification may tell, at any time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from unittest import mock

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import rule

from migration_runs.engine.outcome import Outcome, Waiting
from migration_runs.exceptions import LeaseLost
from migration_runs.models import (
    PhaseRun,
)
from migration_runs.services import (
    checks,
    clock,
    leases,
    progress,
    verification,
)
from tests.control import CLEAN, DIRTY, check_outcome
from tests.integration.run_bench import RunBench

numbers = st.integers(1, 9)
mostly = st.sampled_from([True, True, True, False])


class WorkerRules(RunBench):
    """A run with workers."""

    # -- workers, checks, the verification

    @rule(number=numbers)
    def claim(self, number: int) -> None:
        token = leases.claim(self.scene.phase(number).pk, worker="worker")
        assert (token is not None) == self.model.claim(number)
        assert token in {None, self.model.token}

    @rule()
    def worker_lost(self) -> None:
        """Its lease is over without having been given back."""
        for number, phase in self.model.phases.items():
            if phase.lease == "held":
                rows = PhaseRun.objects.filter(run_id=self.run_id, number=number)
                rows.update(lease_until=timezone.now() - timedelta(seconds=1))
                phase.lease = "lost"

    @rule(number=numbers, back=st.integers(0, 2), give_back=st.booleans())
    def lease(self, number: int, back: int, give_back: bool) -> None:
        """Renewed or given back, with the phase's token or an older one."""
        phase, row = self.model.phases[number], self.scene.phase(number)
        ours = back == 0
        if give_back:
            assert leases.release(row.pk, token=phase.token - back) == ours
            phase.lease = "" if ours else phase.lease
        else:
            held = ours and bool(phase.lease)
            assert leases.renew(row.pk, token=phase.token - back) == held
            phase.lease = "held" if held else phase.lease

    @rule(
        number=numbers, back=st.sampled_from([0, 0, 0, 1]),
        status=st.sampled_from(["finished", "finished", "failed", "waiting", "paused"]),
    )  # fmt: skip
    def outcome(self, number: int, back: int, status: Any) -> None:
        self.tell(number, status, back=back)

    def tell(self, number: int, status: Any, back: int = 0) -> None:
        """A worker tells how its turn ended."""
        phase, row = self.model.phases[number], self.scene.phase(number)
        kind: Any = {5: "confirmation", 8: "window"}.get(number, "drain")
        waiting = Waiting(
            step={5: "asked", 8: "watch"}.get(number, "holds"), kind=kind, text="until it is so"
        )
        said = Outcome(
            status=status, waiting=waiting if status == "waiting" else None, error="it does not hold"
        )
        before = self.dump() if back else None
        try:
            progress.record_outcome(row.pk, token=phase.token - back, outcome=said)
        except LeaseLost:
            assert before == self.dump(), "an outcome under an old token, or one that was refused wrongly"
            return
        assert not back, "an outcome under an old token was taken"
        self.model.outcome(number, status, kind)
        time.sleep(0.005 if kind == "window" else 0)  # every round of a window that was opened is due

    @rule(verdict=st.sampled_from(["pass", "pass", "fail"]))
    def check(self, verdict: Any) -> None:
        due = checks.begin_next(self.run_id)
        if (
            self.model.watched
            and self.model.window
            and not self.model.window.end
            and self.model.window.pending
        ):
            assert due is not None, "a check is due and nobody is given it"
        if due is not None:
            assert self.model.watched, "a check was begun though nothing is watched"
            checks.record_check(due.pk, check_outcome(due.pk, verdict))
            self.model.check(verdict)

    @rule()
    def check_missed(self) -> None:
        later = clock.database_now() + timedelta(hours=2)
        with mock.patch.object(clock, "database_now", return_value=later):
            missed = checks.mark_missed()
        if missed:
            assert self.model.watched
            self.model.check("missed")

    @rule(clean=mostly)
    def report(self, clean: bool) -> None:
        verification.record(self.run_id, CLEAN if clean else DIRTY)
        self.model.report(clean=clean)
