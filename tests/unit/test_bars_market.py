from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bars import market


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 3, 15, 21, 59, 59, tzinfo=UTC), False),  # Sunday
        (datetime(2026, 3, 15, 22, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 18, 3, 0, tzinfo=UTC), True),  # Wednesday night
        (datetime(2026, 3, 20, 21, 59, 59, tzinfo=UTC), True),  # Friday
        (datetime(2026, 3, 20, 22, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 21, 12, 0, tzinfo=UTC), False),  # Saturday
    ],
)
def test_fx_trades_from_sunday_to_friday_22_utc(*, moment: datetime, expected: bool) -> None:
    assert market.is_open(moment) is expected


def test_a_week_has_five_open_days() -> None:
    start = datetime(2026, 3, 9, tzinfo=UTC)
    hours = [start + timedelta(hours=number) for number in range(7 * 24)]
    assert sum(map(market.is_open, hours)) == 5 * 24


@pytest.mark.parametrize(
    ("moment", "monday"),
    [
        (datetime(2026, 3, 16, 8, 0, tzinfo=UTC), date(2026, 3, 16)),
        (datetime(2026, 3, 16, 7, 59, tzinfo=UTC), date(2026, 3, 9)),
        (datetime(2026, 3, 22, 23, 0, tzinfo=UTC), date(2026, 3, 16)),
    ],
)
def test_the_last_monday_morning_is_never_in_the_future(moment: datetime, monday: date) -> None:
    morning = market.last_monday_morning(moment)
    assert (morning.date(), morning.hour, morning.minute) == (monday, 8, 0)
    assert morning <= moment


def test_minutes_count_from_1970_and_back() -> None:
    moment = datetime(2026, 3, 16, 8, 0, 59, tzinfo=UTC)
    assert market.minute_start(market.minute_number(moment)) == moment.replace(second=0)


def test_levels_are_the_central_banks_reference_rates() -> None:
    # ECB, 2020-03-16: 1 EUR = 1.1157 USD = 117.76 JPY
    assert market.reference_level("EURUSD", date(2020, 3, 16)) == pytest.approx(1.1157)
    assert market.reference_level("USDJPY", date(2020, 3, 16)) == pytest.approx(117.76 / 1.1157)


def test_a_day_without_a_rate_has_its_predecessors() -> None:
    saturday = date(2020, 3, 14)
    assert market.reference_level("GBPUSD", saturday) == market.reference_level("GBPUSD", date(2020, 3, 13))


def test_days_beyond_the_published_rates_keep_the_nearest_one() -> None:
    assert market.reference_level("USDCHF", date(2999, 1, 1)) == market.reference_level(
        "USDCHF", date(2998, 1, 1)
    )
