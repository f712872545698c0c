"""What tests of a whole move look at: rows of both sides, triggers that are left, slow statements."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from migration_runs.engine.move import triggers, verification
from migration_runs.engine.outcome import Verification
from tests.integration import jobs
from tests.integration.worlds import World

Rows = list[tuple[Any, ...]]

SLOW = """
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN PERFORM pg_sleep({seconds}); RETURN coalesce(NEW, OLD); END$$;
CREATE TRIGGER slow BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION public.slow();
"""
SLEEPING = (
    "SELECT FROM pg_stat_activity WHERE application_name LIKE 'phasegate/%' AND wait_event = 'PgSleep' "
    "AND pid <> pg_backend_pid()"
)


def rows(world: World, query: str) -> Rows:
    """What a query of the runner gives."""
    with world.runner() as conn:
        return conn.execute(query.encode()).fetchall()


def app(world: World, *statements: str) -> None:
    """Statements of the application, each in a transaction of its own."""
    with world.app() as conn:
        for statement in statements:
            conn.execute(statement.encode())


def minute(start: str, number: int) -> str:
    """SQL for so many minutes after ``start`` (UTC)."""
    return f"timestamptz '{start}+00' + {number} * interval '1 minute'"


def verify(world: World) -> Verification:
    """The live comparison."""
    return verification.verify(world.job.target_url, world.job.plan, world.job.run_uid)


def moved(world: World) -> None:
    """Phases 4 and 5: both directions on, history copied, both sides equal."""
    jobs.apply(world.job, 4, *jobs.BACKFILL)
    jobs.apply(world.job, 5, "reverse_on")


def cleaned(world: World) -> None:
    """Phase 9 on top of that."""
    moved(world)
    jobs.apply(world.job, 9, "retire")


def rolled_back(world: World, *, phases: tuple[int, ...]) -> None:
    """Undo what those phases applied, last first."""
    steps = {9: ("retire",), 5: ("reverse_on",), 4: ("verify", "settle", "copy", "forward_on")}
    for phase in phases:
        jobs.undo(world.job, phase, *steps[phase])


def ours(world: World) -> Rows:
    """Triggers of ours on either table."""
    shape = world.shape()
    names = list(triggers.trigger_names(shape))
    with world.runner() as conn:
        return conn.execute("SELECT tgname FROM pg_trigger WHERE tgname = ANY (%s)", (names,)).fetchall()


def wait_for(world: World, query: str) -> None:
    """Until ``query`` gives a row."""
    with world.runner() as conn:
        while not conn.execute(query.encode()).fetchall():
            time.sleep(0.02)


@contextmanager
def slow(world: World, table: str, event: str, *, seconds: float, when: str) -> Iterator[None]:
    """Statements of one kind on one table take their time at certain rows."""
    app(world, SLOW.format(seconds=seconds, event=event, table=table, when=when))
    try:
        yield
    finally:
        app(world, "DROP FUNCTION public.slow() CASCADE")
