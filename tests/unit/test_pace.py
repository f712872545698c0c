"""The pace of a step: few points however long it lasts, and a chart of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from migration_runs.selectors.paces import pace_of
from migration_runs.services import pace

START = datetime(2026, 3, 5, 18, tzinfo=UTC)


def points(seconds: float, *, every_s: float = 0.5, rows_s: float = 100.0) -> list[pace.Point]:
    found: list[pace.Point] = []
    for number in range(int(seconds / every_s) + 1):
        at = number * every_s
        found = pace.added(found, at=START + timedelta(seconds=at), done=round(at * rows_s))
    return found


@pytest.mark.parametrize("seconds", [1, 60, 600, 20_000])
def test_however_long_it_lasts_the_points_are_few_and_the_ends_are_kept(seconds: int) -> None:
    found = points(seconds)
    assert len(found) <= pace.MOST_POINTS
    assert found[0] == (START.timestamp(), 0)
    assert found[-1] == (START.timestamp() + seconds, seconds * 100)
    assert found == sorted(found)
    if seconds >= 60:
        assert len(found) >= 40
        gaps = [after[0] - before[0] for before, after in itertools.pairwise(found)]
        assert max(gaps) <= seconds / 10, "no long stretch without a point"


def test_a_figure_that_comes_late_from_another_worker_changes_nothing() -> None:
    found = points(10)
    assert pace.added(found, at=START + timedelta(seconds=11), done=500) == found


def test_the_chart_shows_the_fast_beginning_and_the_slow_end() -> None:
    found = points(60, rows_s=2917.0)
    for second in range(61, 121):
        found = pace.added(found, at=START + timedelta(seconds=second), done=found[-1][1] + 70)
    shown = pace_of(found)
    assert shown is not None
    assert shown.top == 3000
    assert shown.highest == pytest.approx(2917, rel=0.05)
    assert shown.latest == pytest.approx(70, rel=0.05)
    assert (shown.begin, shown.end) == (START, START + timedelta(seconds=120))
    corners = [tuple(map(float, corner.split(","))) for corner in shown.line.split()]
    assert corners[0][0] == 0
    assert corners[-1][0] == 100
    assert corners[1][1] < 5
    assert corners[-1][1] > 40


def test_too_few_points_draw_nothing() -> None:
    assert pace_of([]) is None
    assert pace_of([[1.0, 5], [2.0, 6]]) is None
    assert pace_of([[1.0, 5], [1.0, 6], [1.0, 7]]) is None
