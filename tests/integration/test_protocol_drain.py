"""The touched list and its drain, against a second session in forced order."""

from __future__ import annotations

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import drain
from tests.integration import worlds


def test_a_key_that_had_to_give_way_is_settled_later(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as old, world.app(autocommit=False) as holder, world.runner() as runner:
        old.execute(worlds.DXY_INSERT % (1, 1))
        holder.execute("SELECT FROM bars FOR UPDATE")
        old.execute("UPDATE derived SET close = 2")
        holder.commit()
        assert world.rows("SELECT close FROM bars") == [(1,)]
        result = drain.settle(runner, world.job, shape)
        assert world.rows("SELECT close FROM bars") == [(2,)]
        assert (result.drained, result.left, result.stuck) == (1, 0, ())
