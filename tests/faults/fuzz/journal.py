"""What the application wrote and committed, and what the server answered instead."""

from __future__ import annotations

import math
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.faults.fuzz.actions import Effect
from tests.faults.fuzz.form import Row


@dataclass(frozen=True, slots=True)
class Write:
    """One committed write to one key.

    ``begin`` is before its statement was sent, ``end`` after its COMMIT was answered, both by one monotonic
    clock. ``token`` is what it wrote, None for a deletion. ``order`` counts statements inside transaction
    ``tx``.
    """

    token: str | None
    begin: float
    end: float
    tx: int
    order: int
    how: str = ""
    """Side, isolation level, verb and stage: what is told of it in a verdict."""


@dataclass
class Journal:
    """All committed writes by key. Safe to use from many threads."""

    writes: dict[int, list[Write]] = field(default_factory=lambda: defaultdict(list))
    undone: set[str] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)
    transactions: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin_with(self, rows: Mapping[int, Row]) -> None:
        """What the source holds before anybody writes."""
        for n, row in rows.items():
            self.writes[n].append(Write(token=row[0], begin=-math.inf, end=-math.inf, tx=0, order=0))

    def committed(
        self, tx: int, effects: Iterable[tuple[int, float, str, list[Effect]]], *, end: float
    ) -> None:
        """A transaction of these statements (order, begin, how, what each wrote) was answered at ``end``."""
        with self._lock:
            self.transactions += 1
            for order, begin, how, written in effects:
                for n, token in written:
                    self.writes[n].append(Write(token, begin, end, tx, order, how))

    def rolled_back(self, tokens: Iterable[str], *, error: str | None, refused: bool = False) -> None:
        """A transaction came to nothing; ``error`` is the SQLSTATE that ended it, if one did."""
        with self._lock:
            self.transactions += 1
            self.undone.update(tokens)
            self.refused += refused
            if error is not None:
                self.errors[error] += 1

    def taken_back(self, token: str) -> None:
        """A statement was undone by a savepoint."""
        with self._lock:
            self.undone.add(token)
