"""P1: the chunked, ledgered, resumable copy by one worker, against one plain INSERT … SELECT."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import world as worlds
from bench.case import Case, Line, Measured, Ways
from bench.peers import pg_programs
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


class WithPeers(Copy):
    """The same beside pg_dump and psql, which carry the very rows from another database into the target."""

    def __init__(self, line: Line) -> None:
        super().__init__(line, workers=1)
        self.lines = (line, Line("P1.dump", line.what, "pg_dump of the moved rows | psql", None))

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """The other database has nothing but the moved rows, under ids that the target does not have."""
        with super().open(world) as ways, world.beside("dump") as beside:
            beside.fill_source()
            beside.execute("ids_apart")
            insert(beside)
            beside.settle()
            copy = ways[self.lines[0].id]
            yield {**ways, "P1.dump": Ways(ours=copy.ours, baseline=partial(_dumped, beside, world))}


def _dumped(source: World, world: World) -> Measured:
    world.empty_target()
    started = time.perf_counter()
    pg_programs.carry(
        world.cluster.pg_bin_dir, "public.data_bars", source=source.urls.dsn, target=world.urls.dsn
    )
    seconds = time.perf_counter() - started
    return Measured.time(seconds, world.one("target_digest"))


CASE = WithPeers(Line("P1", "copy, one worker: chunks, ledger, resumable", BASELINE, 1.10))
