"""The bounds of a health check: how they are said, whether they hold, and their floor on a fast clock."""

from __future__ import annotations

from migration_runs.runbook.monitoring import Bound, Check

REAL_FLOOR_S = 2.0
"""No duration is judged more finely than this many seconds of real time."""


def describe(bound: Bound | None, unit: str = "") -> str:
    """A bound in words: ``below 300 s``."""
    if bound is None:
        return "none"
    suffix = " s" if unit == "seconds" else ""
    words = {
        "below": bound.below,
        "at most": bound.at_most,
        "above": bound.above,
        "at least": bound.at_least,
        "equal to": bound.equals,
    }
    return " and ".join(f"{word} {value:g}{suffix}" for word, value in words.items() if value is not None)


def holds(bound: Bound, value: float) -> bool:
    """Whether every given part of the bound holds for ``value``; never for NaN."""
    return (
        value == value  # noqa: PLR0124  (NaN is not equal to itself, and is no measurement)
        and (bound.below is None or value < bound.below)
        and (bound.at_most is None or value <= bound.at_most)
        and (bound.above is None or value > bound.above)
        and (bound.at_least is None or value >= bound.at_least)
        and (bound.equals is None or value == bound.equals)
    )


def floored(bound: Bound, check: Check, clock_speed: float) -> Bound:
    """The bound as it counts on a market clock of this speed: upper limits of durations have a floor."""
    if check.unit != "seconds":
        return bound
    floor = REAL_FLOOR_S * clock_speed
    limits = (("below", bound.below), ("at_most", bound.at_most))
    return bound.model_copy(update={name: max(value, floor) for name, value in limits if value is not None})
