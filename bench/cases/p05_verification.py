"""P5: comparing every mapped column of every row, against what one would do by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench import world as worlds
from bench.case import Case, Line, Measured, UnlikeError, Way, Ways
from bench.cases.p01_copy import insert
from bench.world import HISTORY_START, World
from migration_runs.engine.move import verification
from migration_runs.engine.outcome import Verification

ALTERED = 100
ALTERED_BY = 1e-9

WHAT = "verification, all mapped columns"


class Verify(Case):
    """A verification of two equal sides, while dual-write's list of touched keys is there and empty."""

    lines = (
        Line("P5.except", WHAT, "EXCEPT ALL, both ways", None),
        Line("P5.counts", WHAT, "two counts, blind to values", None),
    )

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """Both sides are filled; that altered values are found is tried first, and is not timed."""
        world.empty_target()
        with world.run() as run:
            run.apply("forward")
            insert(world)
            world.settle()

            def ours() -> Measured:
                started = time.perf_counter()
                found = verification.verify(world.urls.runner_url, world.plan, run.job.run_uid)
                return Measured.time(time.perf_counter() - started, _differing(found))

            values = Ways(ours=ours, baseline=lambda: _except(world))
            _finds_altered(world, values)
            yield {"P5.except": values, "P5.counts": Ways(ours=ours, baseline=lambda: _counts(world))}
        world.empty_target()


def _differing(found: Verification) -> tuple[int, int]:
    """Rows of the source, and of the target, without an equal on the other side."""
    return (found.missing + found.different, found.extra + found.different)


def _except(world: World) -> Measured:
    seconds, row = _by_hand(world, "except_both")
    return Measured.time(seconds, row)


def _counts(world: World) -> Measured:
    seconds, (source, target) = _by_hand(world, "count_both")
    return Measured.time(seconds, (max(source - target, 0), max(target - source, 0)))


def _by_hand(world: World, query: str) -> tuple[float, tuple[int, int]]:
    started = time.perf_counter()
    with world.session(world.urls.runner_url) as conn:
        # The memory that the verification gives itself is the baseline's, too.
        conn.execute("SELECT set_config('work_mem', %s, false)", (verification.WORK_MEM,))
        row = conn.execute(worlds.statement(query).encode()).fetchone()
    assert row is not None
    return time.perf_counter() - started, (row[0], row[1])


def _finds_altered(world: World, values: Ways) -> None:
    place = {"start": HISTORY_START, "rows": world.rows}
    world.execute("alter_some", {**place, "by": ALTERED_BY})
    ways: dict[str, Way] = {"verification": values.ours, "EXCEPT": values.baseline}
    for name, way in ways.items():
        found = way().outcome
        if found != (ALTERED, ALTERED):
            raise UnlikeError(f"{ALTERED} values were altered, and {name} found {found}")
    world.execute("restore_some", place)
    world.settle()


CASE = Verify()
