"""P5: comparing every mapped column of every row, against other tools and what one would do by hand."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from bench import world as worlds
from bench.case import Case, Line, Measured, UnlikeError, Way, Ways
from bench.cases.p01_copy import insert
from bench.peers import installed, reladiff_cli
from bench.peers.reladiff_cli import Algorithm
from bench.world import HISTORY_START, World
from migration_runs.engine.move import verification
from migration_runs.engine.move.chunks import Bound
from migration_runs.engine.outcome import Verification

DAY = 1440
"""Minutes of a day."""

ALTERED = 100
ALTERED_BY = 1e-9

WHAT = "verification, all mapped columns"

RELADIFF: Mapping[str, Algorithm] = {"P5.hashdiff": "hashdiff", "P5.joindiff": "joindiff"}


class Verify(Case):
    """A verification of two equal sides, while dual-write's list of touched keys is there and empty."""

    lines = (
        Line("P5.hashdiff", WHAT, "reladiff -a hashdiff", 1 / 9),
        Line("P5.joindiff", WHAT, "reladiff -a joindiff", 1 / 3),
        Line("P5.except", WHAT, "EXCEPT ALL, both ways", None),
        Line("P5.day", "verification of one day", "verification of all days", 1 / 50),
        Line("P5.counts", WHAT, "two counts, blind to values", None),
    )

    def lacking(self, world: World) -> Mapping[str, str]:  # noqa: ARG002 - the same in all
        """The comparisons by hand need nothing."""
        words = installed.lacking("reladiff", "psycopg2")
        return dict.fromkeys(RELADIFF, words) if words else {}

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """Both sides are filled; that altered values are found is tried first, and is not timed."""
        world.empty_target()
        with world.run() as run:
            run.apply("forward")
            insert(world)

            def ours() -> Measured:
                started = time.perf_counter()
                found = verification.verify(world.urls.runner_url, world.plan, run.job.run_uid)
                return Measured.time(time.perf_counter() - started, _differing(found))

            others: dict[str, Way] = {
                "P5.except": partial(_except, world),
                "P5.counts": partial(_counts, world),
            }
            world.execute("reladiff_install")
            if not self.lacking(world):
                others |= {line: partial(_reladiff, world, name) for line, name in RELADIFF.items()}
            world.settle()
            day = partial(_day, world, run.job.run_uid)
            note = partial(_in_words, _found_altered(world, {"ours": ours, **others}))
            yield {
                **{line: Ways(ours, way, note=partial(note, line)) for line, way in others.items()},
                "P5.day": Ways(ours=day, baseline=ours),
            }
            world.execute("reladiff_remove")
        world.empty_target()


def _day(world: World, run_uid: uuid.UUID) -> Measured:
    """A day in the middle of history, or all of it where that is shorter."""
    start = HISTORY_START + timedelta(minutes=max(world.rows - DAY, 0) // 2)
    lo, hi = (_bound(start + timedelta(minutes=minutes)) for minutes in (-1, DAY - 1))
    started = time.perf_counter()
    found = verification.verify_range(world.urls.runner_url, world.plan, run_uid, lo=lo, hi=hi)
    seconds = time.perf_counter() - started
    if found.source_rows != min(DAY, world.rows):
        raise UnlikeError(f"a day has {DAY} bars, {found.source_rows} were compared")
    return Measured.time(seconds, _differing(found))


def _bound(minute: datetime) -> Bound:
    return (minute.isoformat(),)


def _differing(found: Verification) -> tuple[int, int]:
    """Rows of the source, and of the target, without an equal on the other side."""
    return (found.missing + found.different, found.extra + found.different)


def _except(world: World) -> Measured:
    seconds, row = _by_hand(world, "except_both")
    return Measured.time(seconds, row)


def _counts(world: World) -> Measured:
    seconds, (source, target) = _by_hand(world, "count_both")
    return Measured.time(seconds, (max(source - target, 0), max(target - source, 0)))


def _reladiff(world: World, algorithm: Algorithm) -> Measured:
    seconds, differing = reladiff_cli.compare(world.urls.dsn, algorithm)
    return Measured.time(seconds, differing)


def _by_hand(world: World, query: str) -> tuple[float, tuple[int, int]]:
    started = time.perf_counter()
    with world.session(world.urls.runner_url) as conn:
        # The memory that the verification gives itself is the baseline's, too.
        conn.execute("SELECT set_config('work_mem', %s, false)", (verification.WORK_MEM,))
        row = conn.execute(worlds.statement(query).encode()).fetchone()
    assert row is not None
    return time.perf_counter() - started, (row[0], row[1])


def _found_altered(world: World, ways: Mapping[str, Way]) -> dict[str, object]:
    """What each way finds of a hundred altered values. Raises UnlikeError unless ours finds all of them."""
    place = {"start": HISTORY_START, "rows": world.rows}
    world.execute("alter_some", {**place, "by": ALTERED_BY})
    found = {name: way().outcome for name, way in ways.items()}
    if found["ours"] != (ALTERED, ALTERED):
        raise UnlikeError(f"{ALTERED} values were altered, and the verification found {found['ours']}")
    world.execute("restore_some", place)
    world.settle()
    return found


def _in_words(found: Mapping[str, object], line: str) -> str:
    theirs = found[line]
    return (
        f"of {ALTERED} values altered by {ALTERED_BY:g}: ours finds {ALTERED}, the baseline {_least(theirs)}"
    )


def _least(outcome: object) -> int:
    assert isinstance(outcome, tuple)
    return int(min(outcome))


CASE = Verify()
