"""In busy hours the copy waits, or works its part of the time; by the target's own clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import copier
from migration_runs.exceptions import StopRequested
from migration_runs.runbook.copying import BusyHours
from tests.integration import jobs, worlds
from tests.integration.jobs import copying
from tests.integration.moving import rows, verify
from tests.integration.sessions import Background, wait_until
from tests.integration.worlds import World


@pytest.fixture
def dxy(target: TargetUrls) -> World:
    """2000 minutes of DXY, not yet planned."""
    world = worlds.dxy_like(target)
    jobs.fill_dxy(world, 2000)
    return world


def always(pace: float) -> dict[str, Any]:
    """Busy hours that never end."""
    return {"opens": "Mon 00:00", "closes": "Mon 00:00", "pace": pace}


def test_in_busy_hours_with_a_pace_the_copy_works_that_part_of_the_time(dxy: World) -> None:
    world = copying(dxy, busy_hours=(BusyHours(**always(0.2)),))
    heard = jobs.Heard()
    started = time.monotonic()
    copier.work(world.job, heard)
    took = time.monotonic() - started
    worked = sum(float(ms) for (ms,) in rows(world, "SELECT ms FROM phasegate.chunk WHERE state = 'done'"))
    assert took * 1000 >= 0.99 * worked / 0.2
    assert {note.partition(": ")[2] for note, _ in heard.waits} == {"copying 20% of the time"}
    assert heard.waits[0][0].startswith("busy hours until Mon 00:00 (UTC)")
    assert verify(world).clean


def test_outside_of_busy_hours_nobody_rests(dxy: World) -> None:
    with dxy.runner() as conn:
        row = conn.execute("SELECT now() AT TIME ZONE 'UTC'").fetchone()
    assert row is not None
    now: datetime = row[0]
    tomorrow, after = now + timedelta(days=1), now + timedelta(days=2)
    later: dict[str, Any] = {"opens": f"{tomorrow:%a} 00:00", "closes": f"{after:%a} 00:00"}
    hours = (BusyHours(**later, pace=0.2), BusyHours(**later))
    world = copying(dxy, busy_hours=hours)
    heard = jobs.Heard()
    copier.work(world.job, heard)
    assert heard.waits == []
    assert verify(world).clean


def test_in_busy_hours_without_a_pace_nothing_is_copied(dxy: World) -> None:
    world = copying(dxy, busy_hours=(BusyHours(**always(0)),))
    heard = jobs.Heard()
    work = Background(lambda: copier.work(world.job, heard))
    wait_until(lambda: len(heard.waits) > 2, what="the copy waits")
    heard.stop.set()
    with pytest.raises(StopRequested):
        work.result()
    assert rows(world, "SELECT FROM public.bars WHERE symbol = 'DXY'") == []
