"""One schedule, carried out: the run from its start to its end, with everything that happens to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.faults import inflicting, invariants
from tests.faults.matrix import CELLS
from tests.faults.schedules.crew import Crew
from tests.faults.schedules.hand import NOT_BEGUN, Hand
from tests.faults.schedules.schedule import COMPLETED, Schedule, Turn
from tests.faults.world import Stage, World

NEVER_ENDED = "the run gets to its end"
HELPED = "people help only where a fault asks for it"
WEB = {"web-kill"}

Meddling = Callable[[Stage], None]


@dataclass(frozen=True)
class Played:
    """What a schedule showed.

    ``injected`` are the faults that hit something; ``violations`` are texts by the invariant that they break;
    ``rescues`` is what people had to do beyond their routine. ``still_s`` is the longest time that nothing
    moved while nothing was in the way.
    """

    seed: int
    injected: tuple[str, ...]
    violations: dict[str, list[str]]
    rescues: tuple[str, ...]
    seconds: float
    still_s: float


def play(world: World, schedule: Schedule, *, meddling: Meddling | None = None) -> Played:
    """Carry it out and judge it. ``meddling`` is called before the judgement: for a test of the judge."""
    began = time.monotonic()
    with world.stage(schedule.start, seed=schedule.seed, decision=schedule.decision) as stage:
        crew = Crew(stage.run.pk, stage.driver.people, deploy=stage.driver.deploy)
        stage.driver = crew
        inflicting.with_clock(stage)
        stage.start_processes(web=any(strike.fault in WEB for strike in schedule.strikes))
        hand = Hand(stage, schedule)
        crew.waits, crew.stalled = (lambda: hand.busy), hand.given_up
        found: dict[str, list[str]] = {}
        try:
            with hand:
                _to_the_end(crew, schedule.turn)
        except AssertionError as error:
            found[NEVER_ENDED] = [str(error)]
        if meddling is not None:
            meddling(stage)
        if not found:
            found = invariants.by_name(stage)
        if unexplained := _unexplained(crew.rescues, hand):
            found[HELPED] = unexplained
        return Played(
            seed=schedule.seed,
            injected=tuple(hand.injected),
            violations=found,
            rescues=tuple(crew.rescues),
            seconds=round(time.monotonic() - began, 1),
            still_s=round(hand.longest_s, 1),
        )


def _to_the_end(crew: Crew, turn: Turn | None) -> None:
    if turn is None:
        crew.to_start_of(COMPLETED)
        return
    if turn.within is None:
        crew.to_start_of(turn.phase)
    else:
        begun = lambda: crew.phase(turn.phase).state not in NOT_BEGUN  # noqa: E731 - one condition, used once
        crew.until(begun, f"phase {turn.phase} works")
        crew.wait(turn.within)
    crew.to_rolled_back()


# -- what people may have to do

EXPLAINED: Final[dict[str, frozenset[str]]] = {
    fault: frozenset().union(*(cell.needs for (name, _), cell in CELLS.items() if name == fault))
    for fault, _ in CELLS
}
"""By fault: what the matrix says that people must do after it, at whatever moment."""


RETRIED: Final = frozenset({"retry", "retry the rollback", "resume"})
"""A statement that fails asks for one of these, by where it was: in a phase, in its undo, in a check."""


def _unexplained(rescues: list[str], hand: Hand) -> list[str]:
    """Help that no fault of this schedule explains."""
    expected = frozenset[str]().union(*(EXPLAINED[fault] for fault in hand.injected))
    if expected & RETRIED:
        expected |= RETRIED
    return [f"people had to {text}" for text in rescues if not _explained(text, expected, hand)]


def _explained(text: str, expected: frozenset[str], hand: Hand) -> bool:
    what = text.partition(":")[0].partition(" phase")[0]
    if what in expected:
        return True
    if what == "resume":
        # A person's own hold or pause; a check missed while its workers were hurt: the dead-man gate.
        return bool(hand.stopped_by_people) or "web-kill" in hand.injected or "missed" in text
    return False
