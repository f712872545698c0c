"""P3: what an application that writes every five milliseconds notices of the copy, and the copy of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import world as worlds
from bench.case import Case, Line, Measured, Ways
from bench.cases.p01_copy import insert, plain
from bench.live_writer import Seen, Writing, writing
from bench.world import HISTORY_START, World

LONGEST, PER_WRITE, COPY = "longest write", "seconds per write", "copy"
IDLE_S = 4.0

WRITES = "writes on copied keys every 5 ms"


class LiveWrites(Case):
    """The chunked copy with dual-write and a live writer; the same writer on its own; and what one would do.

    That is: the application writes both tables, and history is copied in one statement. Its writes wait for
    the end of that statement wherever it has inserted the same key.
    """

    lines = (
        Line("P3.wait", f"{WRITES}: the longest during the copy", "during one INSERT … SELECT", 1 / 150),
        Line("P3.writes", f"{WRITES}: seconds per write during the copy", "without a copy", 1 / 0.98),
        Line("P3.copy", f"copy, one worker, {WRITES}", "one INSERT … SELECT, no writes", 1.3),
    )

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """Each measurement empties the target first; in the end both sides have to be equal."""
        ours = partial(_chunked, world)
        yield {
            "P3.wait": Ways(ours, partial(_one_statement, world), of_ours=LONGEST, of_baseline=LONGEST),
            "P3.writes": Ways(ours, partial(_idle, world), of_ours=PER_WRITE, of_baseline=PER_WRITE),
            "P3.copy": Ways(ours, partial(_plain, world), of_ours=COPY),
        }
        world.empty_target()


def _writing(world: World, *, both: bool) -> Writing:
    return Writing(url=world.urls.app_url, start=HISTORY_START.isoformat(), minutes=world.rows, both=both)


def _measured(world: World, seen: Seen, copied: float) -> Measured:
    amounts = {LONGEST: seen.longest, PER_WRITE: seen.seconds / max(seen.writes, 1), COPY: copied}
    return Measured(amounts, world.one("except_both"))


def _chunked(world: World) -> Measured:
    world.empty_target()
    with world.run() as run:
        run.apply("forward")
        with writing(_writing(world, both=False)) as seen:
            started = time.perf_counter()
            run.apply("copy")
            copied = time.perf_counter() - started
        run.apply("settle")
        return _measured(world, seen, copied)


def _one_statement(world: World) -> Measured:
    world.empty_target()
    with writing(_writing(world, both=True)) as seen:
        started = time.perf_counter()
        with world.session(world.urls.runner_url) as conn:
            conn.execute(worlds.statement("plain_copy_beside").encode())
        copied = time.perf_counter() - started
    return _measured(world, seen, copied)


def _idle(world: World) -> Measured:
    world.empty_target()
    with world.run() as run:
        run.apply("forward")
        insert(world)
        world.settle()
        with writing(_writing(world, both=False)) as seen:
            time.sleep(IDLE_S)
        run.apply("settle")
        return _measured(world, seen, 0.0)


def _plain(world: World) -> Measured:
    return Measured(plain(world).amounts, world.one("except_both"))


CASE = LiveWrites()
