"""P10: what the panel adds to a message to a worker and back, when a phase has nothing to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench.case import Case, Line, Measured, Ways
from bench.panel.stage import Program, stage
from bench.panel.workers import worker
from bench.world import World

ROUND_TRIPS = 100


class Control(Case):
    """Phases with one assertion that holds, by a real worker; and a task that only answers, by the same."""

    lines = (
        Line("P10", "a phase with nothing to do: click to done", "a Celery task that only answers", 5.0),
    )

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """A control database and a worker of its own."""
        with (
            stage(world) as staged,
            worker(staged),
            staged.program("bench.panel.clicker") as clicker,
        ):
            clicker.ask(do="prepare")
            clicker.ask(do="round_trips", count=1)  # the worker is there
            yield {"P10": Ways(ours=partial(_phases, world, clicker), baseline=partial(_echo, clicker))}


def _phases(world: World, clicker: Program) -> Measured:
    return Measured.time(clicker.ask(do="phases", owner_url=world.urls.owner_url), "done")


def _echo(clicker: Program) -> Measured:
    return Measured.time(clicker.ask(do="round_trips", count=ROUND_TRIPS), "done")


CASE = Control()
