"""What a chart shows of two tables: candles, gaps, closed hours, differences; and where they are drawn."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from bars import charting, drawing, freshness, market, timeframes
from bars.panel_data import Bar, Held

MINUTE = timedelta(minutes=1)
MONDAY = datetime(2026, 3, 16, 8, tzinfo=UTC)
FRIDAY_CLOSE = datetime(2026, 3, 13, 22, tzinfo=UTC)
SUNDAY_OPEN = datetime(2026, 3, 15, 22, tzinfo=UTC)


def bar(price: float = 100.0, **more: float | None) -> Bar:
    return Bar(**({"open": price, "high": price, "low": price, "close": price} | more))  # type: ignore[arg-type]


def both(n: int, price: float = 100.0) -> Held:
    return Held(MONDAY + n * MINUTE, bar(price), bar(price))


def chart_of(*held: Held, now: datetime | None = None, since: datetime | None = None) -> charting.Chart:
    stop = MONDAY + 10 * MINUTE
    return charting.chart(held, start=MONDAY, stop=stop, step=MINUTE, since=since or MONDAY, now=now or stop)


# -- the grid


@pytest.mark.parametrize("timeframe", timeframes.STEPS)
@pytest.mark.parametrize("stop", [MONDAY, SUNDAY_OPEN, FRIDAY_CLOSE, SUNDAY_OPEN - timedelta(hours=5)])
@pytest.mark.parametrize("count", [1, 60, 500])
def test_a_stretch_has_room_for_as_many_bars_as_asked_for(timeframe: str, stop: datetime, count: int) -> None:
    step = timeframes.STEPS[timeframe]
    start = timeframes.before(stop, step, count)
    places = [slot for slot in timeframes.slots(start, stop, step) if not slot.closed]
    assert len(places) == count
    end = timeframes.after(start, step, count)
    assert [slot for slot in timeframes.slots(start, end, step) if not slot.closed] == places


def test_closed_hours_are_one_place() -> None:
    slots = list(timeframes.slots(FRIDAY_CLOSE - 2 * MINUTE, SUNDAY_OPEN + 2 * MINUTE, MINUTE))
    assert [slot.closed for slot in slots] == [False, False, True, False, False]
    assert (slots[2].start, slots[2].stop) == (FRIDAY_CLOSE, SUNDAY_OPEN)


def test_the_market_opens_and_closes_once_a_week() -> None:
    assert market.opened_at(SUNDAY_OPEN) == SUNDAY_OPEN
    assert market.opened_at(SUNDAY_OPEN - MINUTE) == SUNDAY_OPEN - timedelta(days=7)
    assert market.next_opening(FRIDAY_CLOSE) == SUNDAY_OPEN
    assert market.last_closing(SUNDAY_OPEN) == FRIDAY_CLOSE
    assert market.last_closing(FRIDAY_CLOSE) == FRIDAY_CLOSE
    assert market.last_closing(FRIDAY_CLOSE - MINUTE) == FRIDAY_CLOSE - timedelta(days=7)


# -- what is missing, and what differs


def test_what_is_missing_in_open_hours_is_a_gap_and_what_has_not_ended_is_none() -> None:
    chart = chart_of(both(0), both(3), both(9))
    assert [(gap.place, gap.places) for gap in chart.gaps] == [(1, 2), (4, 5)]
    assert chart.missing == 7
    early = chart_of(both(0), both(3), now=MONDAY + 6 * MINUTE + timedelta(seconds=59))
    assert [(gap.place, gap.places) for gap in early.gaps] == [(1, 2), (4, 2)]


def test_nothing_is_missing_before_the_series_begins() -> None:
    chart = chart_of(both(3), both(5), since=MONDAY + 3 * MINUTE)
    assert [(gap.place, gap.places) for gap in chart.gaps] == [(4, 1), (6, 4)]


def test_a_bar_that_the_tables_do_not_have_alike_is_a_difference_with_both_values() -> None:
    derived, direct = bar(100.0), bar(100.0, close=100.000000001)
    chart = chart_of(
        both(0),
        Held(MONDAY + MINUTE, direct, derived),
        Held(MONDAY + 2 * MINUTE, None, derived),
        Held(MONDAY + 3 * MINUTE, direct, None),
    )
    assert [one.kind for one in chart.differences] == ["differs", "only derived", "only direct"]
    assert chart.differences[0].values == (("close", 100.0, 100.000000001),)
    assert next(candle.kind for candle in chart.candles) == "same"
    assert [mark.kind for mark in drawing.draw(chart).marks] == ["differs", "only derived", "only direct"]


def test_not_a_number_equals_itself_and_nothing_else() -> None:
    odd, absent = bar(100.0, vol=math.nan), bar(100.0, vol=None)
    chart = chart_of(Held(MONDAY, odd, odd), Held(MONDAY + MINUTE, odd, absent))
    assert [candle.kind for candle in chart.candles] == ["same", "differs"]


def test_where_one_table_alone_has_bars_nothing_is_missing_in_the_other() -> None:
    chart = chart_of(*(Held(MONDAY + n * MINUTE, None, bar()) for n in range(10)))
    assert not chart.compared
    assert chart.differences == ()


def test_bars_beside_the_grid_and_in_closed_hours_are_told_and_not_drawn() -> None:
    aside = [Held(MONDAY + timedelta(seconds=90), bar(), None)]
    assert chart_of(both(0), *aside).unplaced == (MONDAY + timedelta(seconds=90),)
    held = [Held(FRIDAY_CLOSE + timedelta(hours=3), None, bar())]
    chart = charting.chart(
        held,
        start=FRIDAY_CLOSE - MINUTE,
        stop=SUNDAY_OPEN + MINUTE,
        step=MINUTE,
        since=FRIDAY_CLOSE,
        now=MONDAY,
    )
    assert len(chart.unplaced) == 1
    assert chart.candles == ()


@pytest.mark.parametrize("price", [None, math.nan, math.inf, -math.inf])
def test_a_bar_without_a_finite_price_is_told_and_bends_no_scale(price: float | None) -> None:
    chart = chart_of(both(0), Held(MONDAY + MINUTE, bar(100.0, high=price), None))
    assert chart.unreadable == (MONDAY + MINUTE,)
    assert (chart.low, chart.high) == (100.0, 100.0)
    assert len(drawing.draw(chart).shapes) == 1


# -- coordinates


def test_every_shape_lies_inside_the_picture() -> None:
    held = [both(n, 100 + math.sin(n)) for n in range(10)]
    picture = drawing.draw(chart_of(*held))
    assert picture.width == 100
    for shape in picture.shapes:
        assert 0 <= shape.x <= picture.width
        assert drawing.TOP <= shape.y <= drawing.BOTTOM


def test_a_higher_price_is_drawn_higher_and_a_fall_is_filled() -> None:
    rose = Held(MONDAY, Bar(100, 103, 99, 102), None)
    fell = Held(MONDAY + MINUTE, Bar(102, 103, 99, 100), None)
    first, second = drawing.draw(chart_of(rose, fell)).shapes
    assert (first.fell, second.fell) == (False, True)
    assert (first.y, first.height) == (second.y, second.height)
    assert first.height > 0


def test_times_lie_at_equal_steps_over_the_whole_width() -> None:
    chart = charting.chart(
        (), start=MONDAY, stop=MONDAY + 120 * MINUTE, step=MINUTE, since=MONDAY, now=MONDAY
    )
    assert drawing.draw(chart).times == tuple(MONDAY + n * 30 * MINUTE for n in range(5))


def test_a_bar_that_closed_where_it_opened_is_said_to_be_unchanged() -> None:
    assert drawing.draw(chart_of(both(0))).unchanged
    assert not drawing.draw(chart_of(Held(MONDAY, Bar(100, 103, 99, 102), None))).unchanged


def test_an_empty_chart_can_be_drawn() -> None:
    picture = drawing.draw(chart_of())
    assert picture.shapes == ()
    assert picture.prices == ()


# -- freshness: the limits of the hourly checks


@pytest.mark.parametrize(
    ("timeframe", "age", "expected"),
    [
        ("1m", timedelta(minutes=4, seconds=59), "fresh"),
        ("1m", timedelta(minutes=5), "late"),
        ("5m", timedelta(minutes=14, seconds=59), "fresh"),
        ("5m", timedelta(minutes=15), "late"),
        ("1h", timedelta(hours=2, minutes=4), "fresh"),
        ("1h", timedelta(hours=2, minutes=5), "late"),
    ],
)
def test_a_series_is_late_by_the_age_of_its_newest_bar(timeframe: str, age: timedelta, expected: str) -> None:
    assert freshness.of_series(MONDAY - age, timeframe, now=MONDAY, speed=1) == expected


def test_a_closed_market_is_never_late_and_after_an_opening_time_counts_from_there() -> None:
    last = FRIDAY_CLOSE - MINUTE
    assert freshness.of_series(last, "1m", now=FRIDAY_CLOSE + timedelta(hours=9), speed=1) == "closed"
    assert freshness.of_series(last, "1m", now=SUNDAY_OPEN + 3 * MINUTE, speed=1) == "fresh"
    assert freshness.of_series(last, "1m", now=SUNDAY_OPEN + 4 * MINUTE, speed=1) == "late"


def test_on_a_fast_clock_no_limit_is_shorter_than_two_real_seconds() -> None:
    newest = MONDAY - timedelta(minutes=30)
    assert freshness.of_series(newest, "1m", now=MONDAY, speed=1) == "late"
    assert freshness.of_series(newest, "1m", now=MONDAY, speed=1000) == "fresh"


def test_a_window_is_late_ten_minutes_after_its_time() -> None:
    hour, delay = timedelta(hours=1), timedelta(seconds=30)
    due = MONDAY - hour - delay
    minute = timedelta(minutes=1)
    assert freshness.of_window(due - 9 * minute, hour, delay, now=MONDAY, speed=1) == "fresh"
    assert freshness.of_window(due - 10 * minute, hour, delay, now=MONDAY, speed=1) == "late"
