"""After the copy the planner knows what the target holds, or the log says that it does not."""

from __future__ import annotations

import pytest

from controlpanel.embedded_databases import TargetUrls
from tests.integration import jobs, worlds
from tests.integration.moving import rows
from tests.integration.worlds import World

ANALYZED = (
    "SELECT last_analyze IS NOT NULL, reltuples::int FROM pg_stat_user_tables "
    "JOIN pg_class ON pg_class.oid = relid WHERE relid = 'public.bars'::regclass"
)


@pytest.fixture
def world(target: TargetUrls) -> World:
    """500 minutes of DXY on one side, none on the other, whose statistics say so."""
    world = jobs.migrating(worlds.dxy_like(target))
    jobs.fill_dxy(world, 500)
    return world


def test_the_target_is_analyzed_once_history_is_in_it(world: World) -> None:
    assert rows(world, ANALYZED)[0][0] is False
    result = jobs.apply(world.job, 4, "forward_on", "copy", "settle")
    assert result.summary.endswith("statistics refreshed")
    count = rows(world, "SELECT count(*) FROM public.bars")[0][0]
    assert count > 480
    assert rows(world, ANALYZED) == [(True, count)]


def test_a_table_that_is_being_vacuumed_or_indexed_is_left_to_autovacuum(world: World) -> None:
    jobs.apply(world.job, 4, "forward_on", "copy")
    heard = jobs.Heard()
    with world.runner() as vacuum, vacuum.transaction():
        vacuum.execute("LOCK TABLE public.bars IN SHARE UPDATE EXCLUSIVE MODE")
        result = jobs.apply(world.job, 4, "settle", reporter=heard)
    assert result.details["statistics"] is False
    (line,) = [text for level, text in heard.logs if level == "warn"]
    assert "lock timeout" in line
    assert line.endswith("ANALYZE public.bars")
    assert rows(world, ANALYZED)[0][0] is False
