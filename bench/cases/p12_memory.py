"""P12: how much memory a worker and the web hold while they do much, against the same process idle."""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg

from bench import memory
from bench import world as worlds
from bench.case import Case, Line, Measured, UnlikeError, Ways
from bench.panel import moving_plan
from bench.panel.stage import Program, stage
from bench.panel.workers import web, worker
from bench.world import World

IDLE, COPY, VERIFY, DOWNLOAD = "idle", "copy", "verify", "download"
PIECE = 1 << 16


class Memory(Case):
    """Peaks of resident memory of real processes, in megabytes. Rows and lines: as many as the run has."""

    lines = (
        Line("P12.copy", "memory of a worker while it copies", "the same process idle", 1.25, unit="MB"),
        Line("P12.verify", "memory of a worker while it verifies", "the same process idle", 1.25, unit="MB"),
        Line("P12.web", "memory of the web while a log is downloaded", "the same idle", 1.25, unit="MB"),
    )

    def lacking(self, world: World) -> Mapping[str, str]:  # noqa: ARG002 - the same in all
        """The kernel has to tell peaks."""
        if memory.available():
            return {}
        return {line.id: "/proc/self/clear_refs is not there: it needs Linux" for line in self.lines}

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """A control database, a worker with one child and a web with one child."""
        with stage(world) as staged, ExitStack() as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="phasegate-bench-")))
            plan = folder / "plan.json"
            plan.write_text(moving_plan.moving_plan(world.plan).model_dump_json(), encoding="utf-8")
            mover = running.enter_context(staged.program("bench.panel.mover"))
            mover.ask(do="prepare")
            worker_pid = running.enter_context(worker(staged))
            web_pid, port = running.enter_context(web(staged))
            run, page, log, cookie = mover.ask(do="log_of", plan=str(plan))
            with psycopg.connect(staged.superuser_dsn) as conn:
                conn.execute(worlds.statement("panel_log").encode(), {"run": run, "lines": world.rows})
            get = partial(_get, port, cookie)
            move = partial(_move, world, mover, plan, worker_pid)
            download = partial(_download, world, web_pid, get, page, log)
            yield {
                "P12.copy": Ways(move, move, of_ours=COPY, of_baseline=IDLE),
                "P12.verify": Ways(move, move, of_ours=VERIFY, of_baseline=IDLE),
                "P12.web": Ways(download, download, of_ours=DOWNLOAD, of_baseline=IDLE),
            }
        world.empty_target()


def _move(world: World, mover: Program, plan: Path, parent: int) -> Measured:
    world.empty_target()
    mover.ask(do="begin", plan=str(plan))
    pid = memory.child(parent)
    amounts = {IDLE: memory.resident(pid)}
    for name, number in ((COPY, moving_plan.COPY), (VERIFY, moving_plan.VERIFY)):
        memory.forget_peak(pid)
        mover.ask(do="phase", number=number)
        amounts[name] = memory.peak(pid)
    if memory.child(parent) != pid:
        raise UnlikeError("the worker's child was replaced by another")
    outcome = world.one("count_both")
    mover.ask(do="undo")
    return Measured(amounts, outcome)


def _download(world: World, parent: int, get: Callable[[str], int], page: str, log: str) -> Measured:
    get(page)
    pid = memory.child(parent)
    amounts = {IDLE: memory.resident(pid)}
    memory.forget_peak(pid)
    lines = get(log)
    amounts[DOWNLOAD] = memory.peak(pid)
    if lines != world.rows:
        raise UnlikeError(f"of {world.rows} log lines {lines} came")
    return Measured(amounts, lines)


def _get(port: int, cookie: str, address: str) -> int:
    """Read a page to its end, piece by piece; how many lines it has."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", address, headers={"Cookie": cookie})
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise UnlikeError(f"{address} answered {answer.status}")
    lines = 0
    while piece := answer.read(PIECE):
        lines += piece.count(b"\n")
    connection.close()
    return lines


CASE = Memory()
