"""Taking turns: ours, baseline, baseline, ours … so that what else the machine does falls on both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.case import Case, Line, UnlikeError, Ways
from bench.world import World


@dataclass(frozen=True)
class Result:
    """A line with its figures: medians in seconds, and every single one of them."""

    line: Line
    ours: float
    baseline: float
    all_ours: tuple[float, ...]
    all_baseline: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Our seconds to the baseline's: below 1 is faster."""
        return self.ours / self.baseline

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.line.target is None else self.ratio <= self.line.target


def measure(
    cases: Sequence[Case],
    world: World,
    *,
    chosen: Callable[[Line], bool],
    repetitions: int,
    tell: Callable[[str], None],
) -> Iterator[Result]:
    """Every chosen line in order. Raises UnlikeError when the two ways of a line did not do the same."""
    for case in cases:
        lines = [line for line in case.lines if chosen(line)]
        if not lines:
            continue
        tell(f"{lines[0].id}: preparing")
        with case.open(world) as ways:
            for line in lines:
                tell(f"{line.id}: {line.what}")
                result = _taking_turns(line, ways[line.id], repetitions)
                tell(f"{line.id}: {result.ratio:.2f} x")
                yield result


def _taking_turns(line: Line, ways: Ways, repetitions: int) -> Result:
    seconds: dict[str, list[float]] = {"ours": [], "baseline": []}
    outcomes: list[object] = []
    for number in range(repetitions):
        turn = [("ours", ways.ours), ("baseline", ways.baseline)]
        for name, way in turn if number % 2 == 0 else reversed(turn):
            timed = way()
            seconds[name].append(timed.seconds)
            outcomes.append(timed.outcome)
    if any(outcome != outcomes[0] for outcome in outcomes):
        raise UnlikeError(f"{line.id}: not the same outcome each time: {outcomes}")
    return Result(
        line=line,
        ours=statistics.median(seconds["ours"]),
        baseline=statistics.median(seconds["baseline"]),
        all_ours=tuple(seconds["ours"]),
        all_baseline=tuple(seconds["baseline"]),
    )
