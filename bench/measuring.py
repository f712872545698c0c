"""Taking turns: ours, baseline, baseline, ours … so that what else the machine does falls on both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.case import Case, Line, Measured, UnlikeError, Way, Ways
from bench.world import World


@dataclass(frozen=True)
class Result:
    """A line with its figures in the line's unit: medians, and every single one of them."""

    line: Line
    ours: float
    baseline: float
    all_ours: tuple[float, ...]
    all_baseline: tuple[float, ...]
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours to the baseline's: below 1 is better."""
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
    """Every chosen line in order, without those that lack something, which is told.

    Raises UnlikeError when the two ways of a line did not do the same.
    """
    for case in cases:
        lacking = case.lacking(world)
        lines = [line for line in case.lines if chosen(line)]
        for line in lines:
            if line.id in lacking:
                tell(f"{line.id}: NOT MEASURED: {lacking[line.id]}")
        lines = [line for line in lines if line.id not in lacking]
        if not lines:
            continue
        tell(f"{lines[0].id}: preparing")
        with case.open(world) as ways:
            for group in _sharing(lines, ways):
                for line in group:
                    tell(f"{line.id}: {line.what}, against {line.baseline}")
                for result in _taking_turns(group, ways, repetitions):
                    tell(f"{result.line.id}: {result.ratio:.3f} x {result.note}".rstrip())
                    yield result


def _sharing(lines: Sequence[Line], ways: Mapping[str, Ways]) -> Iterator[list[Line]]:
    """Neighbours that share a way are measured together: the shared way once in each round."""
    group: list[Line] = []
    of_group: set[int] = set()
    for line in lines:
        own = {id(ways[line.id].ours), id(ways[line.id].baseline)}
        if group and not own & of_group:
            yield group
            group, of_group = [], set()
        group.append(line)
        of_group |= own
    if group:
        yield group


def _taking_turns(lines: Sequence[Line], ways: Mapping[str, Ways], repetitions: int) -> list[Result]:
    distinct: dict[int, Way] = {}
    for line in lines:
        for way in (ways[line.id].ours, ways[line.id].baseline):
            distinct.setdefault(id(way), way)
    measured: dict[int, list[Measured]] = {key: [] for key in distinct}
    for number in range(repetitions):
        order = list(distinct) if number % 2 == 0 else list(reversed(distinct))
        for key in order:
            measured[key].append(distinct[key]())
    return [
        _result(line, ways[line.id], measured[id(ways[line.id].ours)], measured[id(ways[line.id].baseline)])
        for line in lines
    ]


def _result(line: Line, ways: Ways, ours: Sequence[Measured], baseline: Sequence[Measured]) -> Result:
    outcomes = [one.outcome for one in (*ours, *baseline)]
    if any(outcome != outcomes[0] for outcome in outcomes):
        raise UnlikeError(f"{line.id}: not the same outcome each time: {outcomes}")
    all_ours = tuple(one.amounts[ways.of_ours] for one in ours)
    all_baseline = tuple(one.amounts[ways.of_baseline] for one in baseline)
    return Result(
        line=line,
        ours=statistics.median(all_ours),
        baseline=statistics.median(all_baseline),
        all_ours=all_ours,
        all_baseline=all_baseline,
        note=ways.note(),
    )
