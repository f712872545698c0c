"""P11: what the chain of the audit trail costs when it is written, and how fast it is verified."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psycopg

from bench import world as worlds
from bench.case import Case, Line, Measured, UnlikeError, Ways
from bench.panel.stage import Program, Stage, stage
from bench.world import World

WRITERS = 8
EVENTS_EACH = 250

SHA256SUM = "sha256sum"


class Audit(Case):
    """Appending by eight processes at once, and verifying as many events as the run has rows."""

    lines = (
        Line("P11.append", f"audit: an event, {WRITERS} writers", "a row in a table without chain", 3.0),
        Line("P11.verify", "audit: verification of the whole trail", "sha256sum of the same bytes", 5.0),
    )  # fmt: skip

    @contextmanager
    def open(self, world: World) -> Iterator[Mapping[str, Ways]]:
        """A control database of its own; that a changed event is found is tried first, and is not timed."""
        with stage(world) as staged, ExitStack() as programs:
            with psycopg.connect(staged.superuser_dsn) as conn:
                conn.execute(worlds.statement("audit_bare_table").encode())
            writers = [
                programs.enter_context(staged.program("bench.panel.audit_writer")) for _ in range(WRITERS)
            ]
            reader = programs.enter_context(staged.program("bench.panel.audit_reader"))
            folder = Path(programs.enter_context(tempfile.TemporaryDirectory(prefix="phasegate-bench-")))
            trail = _Trail(staged, reader, folder / "trail", world.rows)
            yield {
                "P11.append": Ways(
                    ours=partial(_append, staged, writers, "chained"),
                    baseline=partial(_append, staged, writers, "bare"),
                ),
                "P11.verify": Ways(ours=trail.verify, baseline=trail.hash),
            }


def _append(staged: Stage, writers: list[Program], do: str) -> Measured:
    before = _counted(staged, do)
    for writer in writers:
        writer.tell(do=do, events=1)  # connected, and its statements known
    for writer in writers:
        writer.hear()
    started = time.perf_counter()
    for writer in writers:
        writer.tell(do=do, events=EVENTS_EACH)
    for writer in writers:
        writer.hear()
    seconds = time.perf_counter() - started
    written = _counted(staged, do) - before - WRITERS
    return Measured.time(seconds / (WRITERS * EVENTS_EACH), written)


def _counted(staged: Stage, do: str) -> int:
    with psycopg.connect(staged.superuser_dsn) as conn:
        row = conn.execute(worlds.statement("audit_count").encode()).fetchone()
    assert row is not None
    return int(row[0] if do == "chained" else row[1])


class _Trail:
    """A trail of so many events, and the bytes that its hashes are over; written when first asked for."""

    def __init__(self, staged: Stage, reader: Program, copy: Path, events: int) -> None:
        self._dsn = staged.superuser_dsn
        self._reader = reader
        self._copy = copy
        self._events = events
        self._digest = ""

    def verify(self) -> Measured:
        """The panel's own verification, of every event."""
        self._ensure()
        seconds, events, intact = self._reader.ask(do="verify")
        return Measured.time(seconds, (events, intact))

    def hash(self) -> Measured:
        """sha256sum of the file, which has to give what Python's hashlib gave."""
        self._ensure()
        started = time.perf_counter()
        done = subprocess.run([SHA256SUM, self._copy], capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        return Measured.time(seconds, (self._events, done.stdout.split()[0] == self._digest))

    def _ensure(self) -> None:
        if self._digest:
            return
        broken = self._events // 2
        actor = self._reader.ask(do="fill", dsn=self._dsn, events=self._events, copy=str(self._copy))
        self._reader.ask(do="rewrite", dsn=self._dsn, seq=broken, actor="somebody else")
        _, events, intact = self._reader.ask(do="verify")
        if intact or events != broken - 1:
            raise UnlikeError(f"event {broken} was changed, and the verification found {events} whole events")
        self._reader.ask(do="rewrite", dsn=self._dsn, seq=broken, actor=actor)
        with self._copy.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256").hexdigest()


CASE = Audit()
