"""P1: the chunked, ledgered, resumable copy by one worker, against one plain INSERT … SELECT."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench import world as worlds
from bench.case import Case, Line, Measured, Ways
from bench.world import World

BASELINE = "one INSERT … SELECT"


class Copy(Case):
    """Copy all history into a target that holds another symbol's bars alone; ``workers`` share it."""

    def __init__(self, line: Line, *, workers: int) -> None:
        self.lines = (line,)
        self._workers = workers

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """Each measurement empties the target first."""
        yield {self.lines[0].id: Ways(ours=lambda: self._chunked(world), baseline=lambda: plain(world))}
        world.empty_target()

    def _chunked(self, world: World) -> Measured:
        world.empty_target()
        with world.run(workers=self._workers) as run:
            run.apply("forward")  # dual-write is on while history is copied
            started = time.perf_counter()
            run.apply("copy")
            seconds = time.perf_counter() - started
        return Measured.time(seconds, world.one("target_digest"))


def plain(world: World) -> Measured:
    """The baseline, from connecting to the commit's answer."""
    world.empty_target()
    started = time.perf_counter()
    insert(world)
    seconds = time.perf_counter() - started
    return Measured.time(seconds, world.one("target_digest"))


def insert(world: World) -> None:
    """All history into the target, in one statement of a session of its own."""
    with world.session(world.urls.runner_url) as conn:
        conn.execute(worlds.statement("plain_copy").encode())


CASE = Copy(Line("P1", "copy, one worker: chunks, ledger, resumable", BASELINE, 1.10), workers=1)
