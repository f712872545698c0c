"""P9: pages of a panel that has been in use for years, against those of a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from bench.case import Case, Line, Measured, UnlikeError, Ways
from bench.panel.stage import Program, Stage, stage
from bench.world import World

ACTIVE = 5
FEW = {"active": ACTIVE, "runs": ACTIVE, "steps": 3, "events": 1_000, "lines": 1_000}
TIMES = 15
POLL_QUERIES = 5
PAGES = {"run": 200, "poll": 204, "list": 200, "start": 200}
"""Each page with the status that it has to answer with."""


class Pages(Case):
    """The same pages of the same runs under way, alone or among 500 with a long trail and a long log."""

    lines = (
        Line("P9.run", "the run page", "the same among five runs", 2.0),
        Line("P9.poll", "the run page's poll, nothing new", "the same among five runs", 2.0),
        Line("P9.list", "the list of runs", "the same of five runs", 2.0),
        Line("P9.start", "the start page", "the same among five runs", 2.0),
    )

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """Two control databases; the log of the long one has as many lines as the run has rows."""
        many = {
            "active": ACTIVE, "runs": max(ACTIVE * 2, world.rows // 2_000), "steps": 3,
            "events": world.rows // 10, "lines": world.rows,
        }  # fmt: skip
        with ExitStack() as open_ones:
            old, new = (
                open_ones.enter_context(_panel(world, name, much))
                for name, much in (("old", many), ("new", FEW))
            )
            yield {
                f"P9.{page}": Ways(ours=partial(_page, old, page), baseline=partial(_page, new, page))
                for page in PAGES
            }


@contextmanager
def _panel(world: World, name: str, much: Mapping[str, Any]) -> Iterator[Program]:
    with stage(world, name=name) as staged, staged.program("bench.panel.reader") as reader:
        _fill(world, staged, reader, much)
        yield reader


def _fill(world: World, staged: Stage, reader: Program, much: Mapping[str, Any]) -> None:
    reader.ask(do="fill", owner_url=world.urls.owner_url, dsn=staged.superuser_dsn, **much)


def _page(reader: Program, page: str) -> Measured:
    """The outcome is the number of queries: it must not depend on how much there is."""
    seconds, queries, status = reader.ask(do="page", name=page, times=TIMES)
    if status != PAGES[page]:
        raise UnlikeError(f"the page {page} answered {status}")
    if page == "poll" and queries > POLL_QUERIES:
        raise UnlikeError(f"a poll took {queries} queries, at most {POLL_QUERIES}")
    return Measured.time(seconds, queries)


CASE = Pages()
