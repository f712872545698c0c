"""A schedule: which faults hit which phases of a run, and when. Drawn from a seed, and from nothing else.

The seed decides everything that is decided here, so that a schedule can be drawn again. What the machine
makes of it (which statement a worker is in after 0.3 s) differs from one time to the next.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tests.faults import things
from tests.faults.matrix import FAULTS
from tests.faults.things import DataDecision

COMPLETED = 10
"""As the number of a phase: the run after its last."""

ROLLED_BACK_SHARE = 0.4
DOOR_SHARE = 0.5
HAND_SHARE = 0.35

Moment = Literal["working", "undoing"]
DOORS: Final[dict[tuple[int, Moment], str]] = {
    (2, "working"): things.NOTE,
    (4, "working"): things.COPY,
    (5, "working"): things.SWITCH,
    (8, "working"): things.CHECK,
    (2, "undoing"): things.UNNOTE,
    (4, "undoing"): things.UNCOPY,
    (5, "undoing"): things.UNSWITCH,
}
"""Where a worker can be kept inside a statement until the fault has struck."""

BRIEF_S = 0.3
LASTING: Final[dict[tuple[int, Moment], float]] = {
    (4, "working"): 0.8, (7, "working"): 2.5, (8, "working"): 2.5, (7, "undoing"): 0.6,
}  # fmt: skip
"""About how many seconds a phase of the small world takes: a strike that is later may find the run over."""

GESTURES: Final = ("hold", "pause", "pause-now")


@dataclass(frozen=True)
class When:
    """``delay`` seconds after phase ``phase`` was first seen to work, or to be undone."""

    phase: int
    moment: Moment
    delay: float

    def __str__(self) -> str:
        verb = "is undone" if self.moment == "undoing" else "works"
        return f"{self.delay:.2f} s after phase {self.phase} {verb}"


@dataclass(frozen=True)
class Strike:
    """One fault. ``lasts`` is the seconds until it is made good, where it does not end by itself.

    Behind ``door`` a worker waits inside a statement; it opens ``opens`` seconds after the strike.
    """

    fault: str
    when: When
    lasts: float
    door: str = ""
    opens: float = 0.0

    def __str__(self) -> str:
        door = f", a worker inside {self.door!r}" if self.door else ""
        return f"{self.fault} {self.when} for {self.lasts:.1f} s{door}"


@dataclass(frozen=True)
class Gesture:
    """What a person does unasked: hold the run or pause its phase, to go on ``lasts`` seconds later."""

    verb: str
    when: When
    lasts: float

    def __str__(self) -> str:
        return f"a person's {self.verb} {self.when} for {self.lasts:.1f} s"


@dataclass(frozen=True)
class Turn:
    """Where the run is rolled back: before ``phase`` starts, or ``within`` seconds after it began to work."""

    phase: int
    within: float | None

    def __str__(self) -> str:
        if self.phase == COMPLETED:
            return "rolled back once completed"
        how = "before its start" if self.within is None else f"{self.within:.2f} s after it began to work"
        return f"rolled back at phase {self.phase}, {how}"


@dataclass(frozen=True)
class Schedule:
    """One run. ``start`` is the phase that is the next to start when the run is taken up."""

    seed: int
    start: int
    decision: DataDecision
    turn: Turn | None
    strikes: tuple[Strike, ...]
    gestures: tuple[Gesture, ...]

    def __str__(self) -> str:
        end = str(self.turn) if self.turn else "to completion"
        told = [*self.strikes, *self.gestures]
        head = f"seed {self.seed}: from phase {self.start}, {end}, data decision {self.decision}"
        return "\n".join([head, *(f"    {one}" for one in told)])


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    chance = random.Random(seed)
    start = chance.randint(1, 9)
    decision: DataDecision = chance.choice(("delete", "keep"))
    turn = _turn(chance, start) if chance.random() < ROLLED_BACK_SHARE else None
    places = list(_places(start, turn))
    strikes = [_strike(chance, places) for _ in range(chance.choice((1, 2, 2, 3, 3, 4)))]
    gestures = [_gesture(chance, start, turn)] if chance.random() < HAND_SHARE else []
    return Schedule(seed, start, decision, turn, tuple(_one_a_door(strikes)), tuple(gestures))


def _turn(chance: random.Random, start: int) -> Turn:
    phase = chance.randint(start, COMPLETED)
    begun = phase == 1 or (phase < COMPLETED and chance.random() < 0.6)  # before phase 1 nothing can be hit
    return Turn(phase, round(chance.uniform(0.0, 1.5), 2) if begun else None)


def _places(start: int, turn: Turn | None) -> Iterator[tuple[int, Moment]]:
    """Phases that work, and phases that are undone, in this schedule."""
    last = COMPLETED - 1 if turn is None else min(turn.phase, COMPLETED - 1)
    before_start = turn is not None and turn.phase < COMPLETED and turn.within is None
    for phase in range(start, last + (0 if before_start else 1)):
        yield phase, "working"
    if turn is not None:
        for phase in range(1, last + (0 if before_start else 1)):
            yield phase, "undoing"


def _strike(chance: random.Random, places: list[tuple[int, Moment]]) -> Strike:
    fault = chance.choice(tuple(FAULTS))
    phase, moment = chance.choice(places)
    door = DOORS.get((phase, moment), "") if chance.random() < DOOR_SHARE else ""
    when = When(phase, moment, round(chance.uniform(0.0, LASTING.get((phase, moment), BRIEF_S)), 2))
    return Strike(fault, when, round(chance.uniform(0.2, 3.0), 1), door, round(chance.uniform(0.0, 1.5), 1))


def _gesture(chance: random.Random, start: int, turn: Turn | None) -> Gesture:
    last = COMPLETED - 1 if turn is None else min(turn.phase, COMPLETED - 1)
    when = When(chance.randint(start, last), "working", round(chance.uniform(0.0, 1.0), 2))
    return Gesture(chance.choice(GESTURES), when, round(chance.uniform(0.1, 1.5), 1))


def _one_a_door(strikes: list[Strike]) -> Iterator[Strike]:
    """A door that two strikes would close is the first one's."""
    taken: set[str] = set()
    for strike in strikes:
        if strike.door in taken:
            yield Strike(strike.fault, strike.when, strike.lasts)
        else:
            taken |= {strike.door} - {""}
            yield strike
