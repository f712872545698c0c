"""Why the copy waits: which reason is told first, what counts as late, what people may move."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest

from migration_runs.engine.move import throttle
from migration_runs.engine.move.load import Load, WalMarks
from migration_runs.runbook.copying import UNITS, BusyHours, CopySettings

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOURS: dict[str, Any] = {"opens": "Mon 08:00", "closes": "Mon 18:00"}
ALL_LIMITS = CopySettings(
    max_wal_mb_s=1,
    max_load=1,
    busy_hours=(BusyHours(**HOURS),),
    max_active_sessions=1,
    max_lock_waiters=0,
    max_slot_mb=1,
)
WORST = Load(
    now=MONDAY_NOON,
    lag_s=7.2,
    standby="pg2",
    slot_mb=12,
    slot="gone",
    lock_waiters=3,
    active_sessions=4,
    wal_mb_s=5,
    own=6,
)
RELIEVED: list[tuple[str, dict[str, Any]]] = [
    ("the standby pg2 is 7.2 s behind (limit 5)", {"lag_s": 0.0}),
    ("the replication slot gone keeps 12 MB of WAL back (limit 1)", {"slot_mb": 0.0}),
    ("3 sessions wait for our locks (limit 0)", {"lock_waiters": 0}),
    ("4 sessions are active (limit 1)", {"active_sessions": 0}),
    ("5.0 MB/s of WAL (limit 1)", {"wal_mb_s": 0.0}),
    ("the load query: 6 (limit 1)", {"own": 0.0}),
    ("busy hours until Mon 18:00 (UTC)", {"now": datetime(2026, 3, 2, 18, tzinfo=UTC)}),
]


def test_the_first_reason_is_told_in_the_documented_order() -> None:
    load = WORST
    for text, relief in RELIEVED:
        found = throttle.reason(load, ALL_LIMITS)
        assert found is not None
        assert (found.text, found.critical) == (text, False)
        load = replace(load, **relief)
    assert throttle.reason(load, ALL_LIMITS) is None


def test_a_critical_bound_comes_before_every_limit() -> None:
    settings = ALL_LIMITS.model_copy(update={"critical_load": 5})
    found = throttle.reason(WORST, settings)
    assert found is not None
    assert (found.kind, found.critical) == ("load", True)
    assert found.text == "the load query: 6 (critical above 5)"


def test_a_query_that_does_not_answer_is_above_every_bound() -> None:
    settings = CopySettings(critical_load=1e300)
    found = throttle.reason(Load(now=MONDAY_NOON, own=float("inf")), settings)
    assert found is not None
    assert found.critical


def test_a_rollback_waits_for_load_but_not_for_busy_hours() -> None:
    assert throttle.reason(Load(now=MONDAY_NOON), ALL_LIMITS, hours=False) is None


@pytest.mark.parametrize(
    ("now", "busy"),
    [
        (datetime(2026, 7, 6, 6, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 6, 7, 0, tzinfo=UTC), True),  # 08:00 in London, in summer
        (datetime(2026, 3, 2, 7, 30, tzinfo=UTC), False),
        (datetime(2026, 3, 2, 8, 0, tzinfo=UTC), True),
    ],
)
def test_busy_hours_follow_the_wall_clock_of_their_time_zone(now: datetime, busy: bool) -> None:
    settings = CopySettings(busy_hours=(BusyHours(**HOURS, time_zone="Europe/London"),))
    found = throttle.reason(Load(now=now), settings)
    assert (found is not None) is busy


# -- how late a standby is


def test_a_standby_that_applies_nothing_is_later_with_every_look() -> None:
    marks = WalMarks()
    for second in range(10):
        marks.add(float(second), 100 * second)
    assert marks.seconds_behind(300, until=9.0) == (6.0, True)
    assert marks.seconds_behind(900, until=9.0) == (0.0, True)
    assert marks.seconds_behind(350, until=9.0) == (6.0, True)


def test_a_standby_that_was_late_before_we_looked_is_at_least_so_late() -> None:
    marks = WalMarks()
    marks.add(5.0, 1000)
    marks.add(8.0, 2000)
    assert marks.seconds_behind(10, until=8.0) == (3.0, False)


def test_wal_per_second_is_no_single_chunk() -> None:
    marks = WalMarks()
    marks.add(0.0, 0)
    marks.add(0.5, 10_000_000)
    assert marks.rate() is None
    marks.add(2.0, 10_000_000)
    assert marks.rate() == 5_000_000
    marks.add(4.0, 10_000_000)
    assert marks.rate() == 0


def test_hours_of_looks_are_kept_in_little_room() -> None:
    marks = WalMarks()
    for number in range(100_000):
        marks.add(number / 4, number)
    assert len(marks._marks) <= 1024
    assert marks.seconds_behind(99_990, until=25_000.0)[0] == pytest.approx(2.5, abs=0.5)


# -- what people may move


def test_a_value_with_bounds_is_adjustable_inside_them_alone() -> None:
    settings = CopySettings.model_validate({"max_active_sessions": {"value": 40, "min": 10, "max": 80}})
    assert settings.max_active_sessions == 40
    assert settings.adjusted({"max_active_sessions": 80}).max_active_sessions == 80
    for refused in (9, 81, 40.5):
        assert settings.adjusted({"max_active_sessions": refused}) == settings
    assert settings.adjusted({"target_ms": 1, "no_such": 1}) == settings
    assert CopySettings.model_validate(settings.model_dump(mode="json")) == settings


def test_bounds_are_part_of_what_is_signed() -> None:
    narrow = CopySettings.model_validate({"workers": {"value": 2, "min": 1, "max": 4}})
    wide = CopySettings.model_validate({"workers": {"value": 2, "min": 1, "max": 40}})
    assert narrow.model_dump_json() != wide.model_dump_json()
    assert (narrow.most_workers, wide.most_workers, CopySettings(workers=3).most_workers) == (4, 40, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_rows": {"value": 5, "min": 1, "max": 9}}, "max_rows is fixed"),
        ({"target_ms": {"value": 5, "min": 1}}, "target_ms is a number, or"),
    ],
)
def test_bounds_where_there_are_none_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=said):
        CopySettings.model_validate(given)


def test_every_adjustable_name_is_a_setting() -> None:
    assert set(UNITS) <= set(CopySettings.model_fields)
