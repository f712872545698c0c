"""What a benchmark is: two ways to the same outcome, measured in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from bench.world import World

Unit = Literal["s", "MB"]
"""Of what is compared: less is better in every line."""

TIME = "time"
"""The amount of a way that is about nothing but how long it took."""


class UnlikeError(Exception):
    """The two sides of a comparison did not do the same work, so that their figures say nothing."""


class LackingError(Exception):
    """A program or package that a line compares with is not there."""


@dataclass(frozen=True)
class Measured:
    """What one way took, by the name of the amount, and what came of it.

    Both ways of a line must come to equal outcomes.
    """

    amounts: Mapping[str, float]
    outcome: object

    @classmethod
    def time(cls, seconds: float, outcome: object) -> Measured:
        """Of a way whose duration is all that matters."""
        return cls({TIME: seconds}, outcome)


Way = Callable[[], Measured]


@dataclass(frozen=True)
class Ways:
    """The two ways, to be called any number of times in any order; each begins by clearing up for itself.

    ``of_ours`` and ``of_baseline`` are the amounts that the line compares. Lines that share a way (the same
    object) share its measurements. ``note`` is asked for after the last measurement: a fact that belongs to
    the figure.
    """

    ours: Way
    baseline: Way
    of_ours: str = TIME
    of_baseline: str = TIME
    note: Callable[[], str] = str


@dataclass(frozen=True)
class Line:
    """One line of the table.

    ``target`` is the highest ratio of ours to the baseline's that is good enough; None where the
    baseline is shown for orientation only.
    """

    id: str
    what: str
    baseline: str
    target: float | None
    unit: Unit = "s"

    def chosen_by(self, wanted: str) -> bool:
        """Whether ``--only`` with this word means the line: ``P6`` means every ``P6.…``."""
        return f"{self.id}.".lower().startswith(f"{wanted}.".lower())


class Case(ABC):
    """What is measured on one preparation: a line or several."""

    lines: tuple[Line, ...]

    def lacking(self, world: World) -> Mapping[str, str]:  # noqa: ARG002 - most cases lack nothing
        """Lines by id that cannot be measured here, each with what is not there and how to get it."""
        return {}

    @abstractmethod
    def open(self, world: World) -> AbstractContextManager[Mapping[str, Ways]]:
        """Prepare (not timed), give each line's two ways by its id, and clear up afterwards."""
