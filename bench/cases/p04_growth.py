"""P4: seconds per million rows of the copy in a table that is much larger, against the same in the run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from bench.case import TIME, Case, Line, Measured, UnlikeError, Way, Ways
from bench.cases.p01_copy import Copy
from bench.world import World


class Growth(Case):
    """The copy of P1 in two sizes. Only measured by ``--growth ROWS``: ten million take a while and 10 GB."""

    lines = (Line("P4", "copy, seconds per million rows", "the same with fewer rows", 1.2),)

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """The larger table is in a database of its own. Both sizes have to leave equal sides."""
        assert world.growth is not None
        with world.beside("growth", rows=world.growth) as larger:
            larger.fill_source()
            copy = Copy(Line("P4", "", "", None), workers=1)
            with copy.open(larger) as large, copy.open(world) as small:
                yield {
                    "P4": Ways(
                        ours=partial(_per_million, large["P4"].ours, larger),
                        baseline=partial(_per_million, small["P4"].ours, world),
                        note=partial(_sizes, world),
                    )
                }

    def lacking(self, world: World) -> Mapping[str, str]:
        """It has to be asked for."""
        return {} if world.growth else {"P4": "it has to be asked for: --growth 10000000"}


def _per_million(copy: Way, world: World) -> Measured:
    measured = copy()
    if world.one("count_both") != (world.rows, world.rows):
        raise UnlikeError(f"of {world.rows} rows not all were copied: {world.one('count_both')}")
    return replace(measured, amounts={TIME: measured.amounts[TIME] / world.rows * 1e6}, outcome="whole")


def _sizes(world: World) -> str:
    return f"{world.growth:,} rows against {world.rows:,}"


CASE = Growth()
