"""What a benchmark is: two ways to the same outcome, timed in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.world import World


class UnlikeError(Exception):
    """The two sides of a comparison did not do the same work, so that their times say nothing."""


@dataclass(frozen=True)
class Timed:
    """How long one way took, and what came of it. Both ways of a line must come to equal outcomes."""

    seconds: float
    outcome: object


Way = Callable[[], Timed]


@dataclass(frozen=True)
class Ways:
    """The two ways, to be called any number of times in any order; each begins by clearing up for itself."""

    ours: Way
    baseline: Way


@dataclass(frozen=True)
class Line:
    """One line of the table.

    ``target`` is the highest ratio of our seconds to the baseline's that is good enough; None where the
    baseline is shown for orientation only.
    """

    id: str
    what: str
    baseline: str
    target: float | None

    def chosen_by(self, wanted: str) -> bool:
        """Whether ``--only`` with this word means the line: ``P6`` means every ``P6.…``."""
        return f"{self.id}.".lower().startswith(f"{wanted}.".lower())


class Case(ABC):
    """What is measured on one preparation: a line or several."""

    lines: tuple[Line, ...]

    @abstractmethod
    def open(self, world: World) -> AbstractContextManager[Mapping[str, Ways]]:
        """Prepare (not timed), give each line's two ways by its id, and clear up afterwards."""
