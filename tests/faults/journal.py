"""What a live writer was told is committed: the truth that tables and readers are held against."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import psycopg

from tests.faults.things import HISTORY

Side = Literal["old", "new"]
"""Which table the application writes, and believes."""

ACTIVE: dict[Side, str] = {
    "old": "SELECT n, body FROM public.things_old WHERE kind = 'thing' AND deleted_at IS NULL",
    "new": "SELECT n, body FROM public.things_new WHERE kind = 'thing'",
}


@dataclass(frozen=True)
class Said:
    """What is known of one thing.

    ``bodies`` are the values that it may have: one, or two after a statement whose answer was lost. None
    stands for "withdrawn". ``version`` counts what was begun and ended on it; ``busy`` says that a statement
    is under way.
    """

    bodies: tuple[str | None, ...] = (None,)
    version: int = 0
    busy: bool = False


@dataclass
class Journal:
    """Every thing's committed value, history included. Safe to use from several threads."""

    things: dict[int, Said] = field(
        default_factory=lambda: {n: Said((f"history {n}",)) for n in range(1, HISTORY + 1)}
    )
    committed: int = 0
    """Statements that the writer was told are committed."""
    unknown: int = 0
    """Statements whose answer was lost with the server."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, dsn: str, *, side: Side) -> Journal:
        """The journal of a run that is under way: what the application's table says now."""
        with psycopg.connect(dsn) as conn:
            rows = conn.execute(ACTIVE[side].encode()).fetchall()
        return cls(things={n: Said((body,)) for n, body in rows})

    def now(self) -> dict[int, Said]:
        """Everything known, as of one moment."""
        with self.lock:
            return dict(self.things)

    @contextmanager
    def writing(self, n: int, body: str | None) -> Iterator[None]:
        """A statement that gives thing ``n`` the value ``body``.

        When it raises :class:`AnswerLostError` both values are possible, and the error ends here; after any
        other error the thing is as it was.
        """
        with self.lock:
            before = self.things.get(n, Said())
            self.things[n] = Said(before.bodies, before.version + 1, busy=True)
        bodies = before.bodies
        try:
            yield
        except AnswerLostError:
            bodies = tuple({*before.bodies, body})
            self.unknown += 1
        else:
            bodies = (body,)
            self.committed += 1
        finally:
            with self.lock:
                self.things[n] = Said(bodies, before.version + 2)


class AnswerLostError(Exception):
    """The connection broke in the middle of a statement: it may have been committed or not."""
