"""A check's rule in words and its limits as numbers; the scale that a chart of its values gets."""

from __future__ import annotations

from typing import Any

import pytest

from migration_runs.runbook.monitoring import Check
from migration_runs.selectors.chart_scale import scale_of
from migration_runs.selectors.check_rules import amount, closed_limits_of, limits_of, rule_of


def check(**more: Any) -> Check:
    return Check.model_validate({"key": "some", "title": "Some"} | more)


FRESH = check(
    unit="seconds", passes={"below": 300}, warns={"below": 600}, when_closed="lag", closed_pass={"below": 120}
)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (FRESH, "pass below 5 min, warn below 10 min, else fail; while closed, lag below 2 min, else fail"),
        (check(passes={"at_least": 80, "at_most": 120}), "pass from 80 to 120, else fail"),
        (check(passes={"equals": 0}, otherwise="warn"), "pass exactly 0, else warn"),
        (
            check(passes={"above": 1}, scale_by_open=True),
            "pass above 1, else fail, in proportion to open time",
        ),
        (
            check(builtin="verification"),
            "pass when the last comparison of source and target is clean, else fail",
        ),
        (check(), "pass when it can be measured, else fail"),
        (
            check(passes={"below": 1.5}, when_closed="closed"),
            "pass below 1.5, else fail; not asked while the market is closed",
        ),
    ],
)
def test_a_rule_is_said_in_words(rule: Check, said: str) -> None:
    assert rule_of(rule, clock_speed=1.0) == said


def test_on_a_fast_clock_limits_are_those_that_count() -> None:
    assert rule_of(FRESH, clock_speed=3600.0).startswith("pass below 2 h, warn below 2 h")
    assert [limit.value for limit in limits_of(FRESH, clock_speed=3600.0)] == [7200.0, 7200.0]


def test_limits_say_what_lies_beyond_them() -> None:
    assert [(x.kind, x.words) for x in limits_of(FRESH, clock_speed=1.0)] == [
        ("warn", "warn from 5 min"),
        ("fail", "fail from 10 min"),
    ]
    assert [x.words for x in closed_limits_of(FRESH, clock_speed=1.0)] == ["fail from 2 min"]
    price = check(passes={"at_least": 80, "at_most": 120})
    assert [x.words for x in limits_of(price, clock_speed=1.0)] == ["fail under 80", "fail above 120"]
    lenient = check(passes={"below": 600}, otherwise="warn", unit="seconds")
    assert [x.kind for x in limits_of(lenient, clock_speed=1.0)] == ["warn"]
    assert limits_of(check(passes={"above": 1}, scale_by_open=True), clock_speed=1.0) == ()


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "seconds", "\N{EN DASH}"), (0.0, "count", "0"), (190.0, "seconds", "3 min"),
        (103.62, "price", "103.62"),
        (1234567.0, "count", "1,234,567"), (-30.0, "seconds", "-30 s"), (0.12345678, "number", "0.1235"),
    ],
)  # fmt: skip
def test_a_value_is_said_with_its_unit(value: float | None, unit: str, said: str) -> None:
    assert amount(value, unit) == said


def test_a_scale_has_its_limits_as_ticks_where_they_fit() -> None:
    limits = limits_of(FRESH, clock_speed=1.0)
    assert scale_of([60, 90, 372], limits, "seconds").ticks == (0, 300, 600, 900)
    assert scale_of([60, 840], limits, "seconds").ticks == (0, 300, 600, 900)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([103.28, 103.88], "price"), ([0.0, 1.0], "count"), ([-3.0, 4.0], "number"),
        ([5000.0, 90000.0], "seconds"),
        ([1e-7, 2e-7], "number"), ([1e9, 3e9], "count"),
        ([-5.0, -4.0], "seconds"), ([0.001, 0.002], "seconds"),
    ],
)  # fmt: skip
def test_every_value_lies_on_its_scale(values: list[float], unit: str) -> None:
    scale = scale_of(values, (), unit)
    assert all(scale.holds(value) for value in values)
    assert 2 <= len(scale.ticks) <= 7
    assert list(scale.ticks) == sorted(set(scale.ticks))
    low, high = scale.y(min(values)), scale.y(max(values))
    assert 0 <= high < low <= 150


def test_far_limits_do_not_flatten_a_price() -> None:
    limits = limits_of(check(passes={"at_least": 80, "at_most": 120}), clock_speed=1.0)
    scale = scale_of([103.28, 103.88], limits, "price")
    assert 103 <= scale.bottom <= 103.28
    assert 103.88 <= scale.top <= 104.2
