"""A live writer and a live reader on the tables of a run, as the application has them all the time.

Both are threads. Any error that the application would see is kept; only a connection that broke is tried
again, and counted apart: a test judges whether its server was one that was killed.
"""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import errors

from tests.faults.journal import AnswerLostError, Journal, Said, Side
from tests.faults.things import NEW, OLD, WRITTEN

WRITE_EVERY_S = 0.005
READ_EVERY_S = 0.05
RECONNECT_S = 0.1

TAKE_OLD = (
    "UPDATE public.things_old SET deleted_at = now() WHERE kind = 'thing' AND n = %s AND deleted_at IS NULL"
)
BACK_OLD = """
UPDATE public.things_old SET deleted_at = NULL
 WHERE id = (SELECT max(id) FROM public.things_old WHERE kind = 'thing' AND n = %s AND deleted_at IS NOT NULL)
   AND NOT EXISTS (SELECT FROM public.things_old WHERE kind = 'thing' AND n = %s AND deleted_at IS NULL)
RETURNING body
"""
TAKE_NEW = "DELETE FROM public.things_new WHERE kind = 'thing' AND n = %s"


class Living(ABC):
    """A thread that works on the target until it is left: use it as a context manager.

    ``errors`` is what the application was refused; ``losses`` how often its connection broke.
    """

    name = "living"

    def __init__(self, url: str, journal: Journal) -> None:
        self.url = url
        self.journal = journal
        self.errors: list[str] = []
        self.losses = 0
        self.rounds = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._conn: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let it end its round; harmless when called again."""
        self._stopping.set()
        self._thread.join()
        self.disconnect()

    def disconnect(self) -> None:
        """Close the session."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def application_name(self) -> str:
        """How the session names itself."""
        return f"things-{self.name}"

    def pause_s(self) -> float:
        """Between two rounds."""
        return READ_EVERY_S

    @abstractmethod
    def round(self, conn: psycopg.Connection[Any]) -> None:
        """One unit of work."""

    def prepare(self) -> None:  # noqa: B027 - a reader has nothing to prepare
        """Called before each round, without a session being needed."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.prepare()
                self.round(self._connected())
                self.rounds += 1
            except psycopg.OperationalError as error:
                if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P")):
                    self._keep(error)
                else:
                    self.losses += 1
                    self.disconnect()
                    self._stopping.wait(RECONNECT_S)
            except psycopg.Error as error:
                self._keep(error)
            self._stopping.wait(self.pause_s())

    def _keep(self, error: psycopg.Error) -> None:
        self.errors.append(f"{self.name}: {type(error).__name__}: {str(error).strip()}"[:400])

    def _connected(self) -> psycopg.Connection[Any]:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(
                self.url, autocommit=True, application_name=self.application_name(), connect_timeout=5
            )
        return self._conn


class Writer(Living):
    """Inserts, changes, withdraws and brings back things, one statement each few milliseconds.

    ``deploy("new")`` is what a restart on other code is: its session ends, the next one writes the other
    table.
    """

    name = "writer"

    def __init__(self, url: str, journal: Journal, *, version: Side, seed: int) -> None:
        super().__init__(url, journal)
        self.version: Side = version
        self._wanted: Side = version
        self._chance = random.Random(seed)
        self._count = 0
        self._tag = f"{seed}.{time.monotonic_ns() % 100_000}"

    def deploy(self, version: Side) -> None:
        """Write the ``old`` or the ``new`` table from here on; returns when the other session has ended."""
        self._wanted = version
        while self.version != version and self._thread.is_alive():
            time.sleep(0.005)

    def application_name(self) -> str:
        """The name that an observation looks for."""
        return OLD if self.version == "old" else NEW

    def pause_s(self) -> float:
        """Between two statements."""
        return WRITE_EVERY_S

    def prepare(self) -> None:
        """Restart on the wanted version."""
        if self._wanted != self.version:
            self.disconnect()
            self.version = self._wanted

    def round(self, conn: psycopg.Connection[Any]) -> None:
        """One statement on one thing."""
        n = self._chance.choice(WRITTEN)
        said = self.journal.now().get(n, Said())
        self._count += 1
        body = f"{self._tag}/{self._count}"
        there = said.bodies != (None,)
        if there and self._chance.random() < 0.25:
            take = TAKE_OLD if self.version == "old" else TAKE_NEW
            self._write(conn, n, None, take, [n])
        elif said == Said((None,), said.version) and self.version == "old" and self._chance.random() < 0.5:
            self._bring_back(conn, n)
        else:
            self._write(conn, n, body, f"SELECT public.put_{self.version}(%s, %s)", [n, body])

    def _bring_back(self, conn: psycopg.Connection[Any], n: int) -> None:
        """Un-delete: which value comes back is read first, since a lost answer must not leave it unknown."""
        row = conn.execute(
            "SELECT body FROM public.things_old WHERE kind = 'thing' AND n = %s AND deleted_at IS NOT NULL "
            "ORDER BY id DESC LIMIT 1",
            [n],
        ).fetchone()
        if row is not None:
            self._write(conn, n, row[0], BACK_OLD, [n, n])

    def _write(
        self, conn: psycopg.Connection[Any], n: int, body: str | None, query: str, parameters: list[Any]
    ) -> None:
        lost: psycopg.OperationalError | None = None
        with self.journal.writing(n, body):
            try:
                conn.execute(query.encode(), parameters)
            except psycopg.OperationalError as error:
                if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P")):
                    raise
                lost = error
                raise AnswerLostError from error
        if lost is not None:
            raise lost


class Reader(Living):
    """Reads all things through the reader function, as whoever is deployed does.

    ``violations``: a thing seen twice; one that is committed and not seen, or seen with another value, though
    nothing is on its way to it (the touched list, read under the same snapshot, says what is).
    """

    name = "reader"

    def __init__(self, url: str, journal: Journal, *, run_prefix: str) -> None:
        super().__init__(url, journal)
        self.violations: list[str] = []
        self._touched = f"phasegate.{run_prefix}touched"

    def round(self, conn: psycopg.Connection[Any]) -> None:
        """One look."""
        before = self.journal.now()
        try:
            with conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                seen = conn.execute("SELECT n, body FROM public.things_seen()").fetchall()
                lagging = self._lagging(conn)
        except (errors.UndefinedTable, errors.SerializationFailure):
            return  # the list went while we looked; the next look is soon
        after = self.journal.now()
        self._judge(seen, lagging, {n: said for n, said in before.items() if said == after[n]})

    def _lagging(self, conn: psycopg.Connection[Any]) -> set[int]:
        row = conn.execute("SELECT to_regclass(%s)", [self._touched]).fetchone()
        if row is None or row[0] is None:
            return set()
        return {n for (n,) in conn.execute(f"SELECT k2::bigint FROM {self._touched}".encode())}

    def _judge(self, seen: list[Any], lagging: set[int], still: dict[int, Said]) -> None:
        found: dict[int, str] = {}
        for n, body in seen:
            if n in found:
                self._violated(f"thing {n} was seen twice")
            found[n] = body
        for n, said in still.items():
            if said.busy or n in lagging:
                continue
            if found.get(n) not in said.bodies:
                self._violated(f"thing {n} was seen as {found.get(n)!r}, committed is {said.bodies}")

    def _violated(self, text: str) -> None:
        if len(self.violations) < 20:
            self.violations.append(text)
