"""The trading calendar answers for every minute of the week, from any time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from migration_runs.engine import calendar
from migration_runs.runbook.monitoring import Session

FX = (Session(opens="Sun 22:00", closes="Fri 22:00"),)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in the week of Monday 2 November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (at(2, 0), True),  # Monday, in a session that opened the Sunday before
        (at(6, 21, 59), True),  # Friday, the last minute
        (at(6, 22), False),  # half-open: the closing minute is closed
        (at(7, 12), False),  # Saturday
        (at(8, 21, 59), False),
        (at(8, 22), True),  # Sunday, the opening minute
    ],
)
def test_fx_is_open_from_sunday_to_friday_22_utc(moment: datetime, expected: bool) -> None:
    assert calendar.is_open(FX, moment) is expected


def test_the_same_instant_in_another_zone_gets_the_same_answer() -> None:
    new_york = timezone(timedelta(hours=-5))
    assert calendar.is_open(FX, at(6, 22).astimezone(new_york)) is False
    assert calendar.is_open(FX, at(8, 22).astimezone(new_york)) is True


def test_open_from_names_the_start_of_the_current_session() -> None:
    assert calendar.open_from(FX, at(11, 9)) == at(8, 22)
    assert calendar.open_from(FX, at(2, 0)) == datetime(2026, 11, 1, 22, tzinfo=UTC)
    assert calendar.open_from(FX, at(7, 0)) is None


def test_open_seconds_counts_only_the_open_part_of_a_period() -> None:
    assert calendar.open_seconds(FX, at(8, 21, 30), at(8, 22, 30)) == 1800
    assert calendar.open_seconds(FX, at(7, 0), at(8, 0)) == 0
    assert calendar.open_seconds(FX, at(2, 0), at(16, 0)) == (14 * 24 - 2 * 48) * 3600


def test_a_period_that_ends_before_it_starts_has_no_open_second() -> None:
    assert calendar.open_seconds(FX, at(3, 1), at(3, 0)) == 0


def test_a_market_without_sessions_never_closes() -> None:
    assert calendar.is_open((), at(7, 12)) is True
    assert calendar.open_from((), at(7, 12)) is None
    assert calendar.open_seconds((), at(7, 0), at(8, 0)) == 86_400


def test_overlapping_and_adjoining_sessions_are_counted_once() -> None:
    sessions = (
        Session(opens="Mon 08:00", closes="Mon 12:00"),
        Session(opens="Mon 11:00", closes="Mon 14:00"),
        Session(opens="Mon 14:00", closes="Mon 15:00"),
    )
    assert calendar.open_seconds(sessions, at(2, 0), at(3, 0)) == 7 * 3600
    assert calendar.open_from(sessions, at(2, 14, 30)) == at(2, 8)


def test_a_session_that_closes_when_it_opens_lasts_the_week() -> None:
    always = (Session(opens="Wed 00:00", closes="Wed 00:00"),)
    assert calendar.is_open(always, at(3, 23, 59)) is True
    assert calendar.open_seconds(always, at(2, 0), at(9, 0)) == 7 * 86_400


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        calendar.is_open(FX, datetime(2026, 11, 2))  # noqa: DTZ001  (this is what is refused)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (at(6, 21, 59), None),  # open
        (at(6, 22), at(6, 22)),  # the closing minute
        (at(7, 12), at(6, 22)),
        (at(8, 21, 59), at(6, 22)),
        (at(8, 22), None),
    ],
)
def test_closed_since_is_when_the_last_session_closed(moment: datetime, expected: datetime | None) -> None:
    assert calendar.closed_since(FX, moment) == expected
    assert calendar.closed_since((), moment) is None
