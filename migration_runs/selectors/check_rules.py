"""A check's rule in words, and its limits as numbers: what a table says beside a value, and a chart draws."""

from __future__ import annotations

from dataclasses import dataclass

from migration_runs import durations
from migration_runs.engine.bounds import floored
from migration_runs.runbook.monitoring import Bound, Check


@dataclass(frozen=True)
class Limit:
    """A value at which the verdict changes. ``kind`` is the worse side's: ``warn`` or ``fail``."""

    kind: str
    value: float
    words: str


def amount(value: float | None, unit: str, *, decimals: int | None = None) -> str:
    """A measured value as people say it: ``3 min``, ``103.62``, ``0``; a dash where there is none.

    ``decimals`` gives all numbers of a scale as many digits; durations say theirs as ever.
    """
    if value is None:
        return "\N{EN DASH}"
    if unit == "seconds":
        return ("-" if value < 0 else "") + durations.said(abs(value))
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def rule_of(check: Check, *, clock_speed: float) -> str:
    """How a check is judged, in one line."""
    if check.builtin == "verification":
        return "pass when the last comparison of source and target is clean, else fail"
    if check.passes is None:
        return "pass when it can be measured, else fail"
    parts = [f"pass {_said(check.passes, check, clock_speed)}"]
    if check.warns is not None:
        parts.append(f"warn {_said(check.warns, check, clock_speed)}")
    parts.append(f"else {check.otherwise}")
    words = ", ".join(parts)
    if check.scale_by_open:
        words += ", in proportion to open time"
    if check.when_closed == "closed":
        words += "; not asked while the market is closed"
    elif check.when_closed == "lag" and check.closed_pass is not None:
        words += f"; while closed, lag {_said(check.closed_pass, check, clock_speed)}, else fail"
    return words


def _said(bound: Bound, check: Check, clock_speed: float) -> str:
    bound = floored(bound, check, clock_speed)
    if bound.at_least is not None and bound.at_most is not None and bound.at_least < bound.at_most:
        return f"from {amount(bound.at_least, check.unit)} to {amount(bound.at_most, check.unit)}"
    words = (
        ("below", bound.below),
        ("at most", bound.at_most),
        ("above", bound.above),
        ("at least", bound.at_least),
        ("exactly", bound.equals),
    )
    return " and ".join(f"{word} {amount(value, check.unit)}" for word, value in words if value is not None)


def limits_of(check: Check, *, clock_speed: float) -> tuple[Limit, ...]:
    """Where a value of the check begins to warn and to fail, lowest first. Scaled limits move: none."""
    if check.scale_by_open or check.passes is None:
        return ()
    worse = "warn" if check.warns is not None or check.otherwise == "warn" else "fail"
    found = _limits(floored(check.passes, check, clock_speed), worse, check.unit)
    if check.warns is not None and check.otherwise == "fail":
        found += _limits(floored(check.warns, check, clock_speed), "fail", check.unit)
    return tuple(sorted(found, key=lambda limit: limit.value))


def closed_limits_of(check: Check, *, clock_speed: float) -> tuple[Limit, ...]:
    """The same of what is measured instead while the market is closed."""
    if check.closed_pass is None:
        return ()
    return tuple(_limits(floored(check.closed_pass, check, clock_speed), "fail", check.unit))


def _limits(bound: Bound, worse: str, unit: str) -> list[Limit]:
    beyond = (
        ("from", bound.below),
        ("above", bound.at_most),
        ("up to", bound.above),
        ("under", bound.at_least),
        ("unless", bound.equals),
    )
    return [
        Limit(worse, value, f"{worse} {word} {amount(value, unit)}")
        for word, value in beyond
        if value is not None
    ]
