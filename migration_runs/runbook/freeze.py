"""Freeze a runbook for one run: its parameters set, its digest fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from migration_runs.exceptions import Refused
from migration_runs.runbook.plan import Plan, Runbook

Value = str | int | float | bool
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def freeze(
    runbook: Runbook,
    *,
    target: str,
    data_decision: Literal["keep", "delete"],
    clock_speed: float = 1.0,
    parameters: Mapping[str, Value] | None = None,
    interval_minutes: float | None = None,
) -> Plan:
    """The plan of one run: ``runbook`` with ``parameters`` over its defaults.

    A parameter given as text takes the type of the runbook's default. Raises Refused for a parameter that the
    runbook does not declare, or a value that is not of its type; for a clock slower than real time or not
    a number; for an
    unknown data decision. ``interval_minutes`` sets another time between checks, on a compressed clock
    alone: what
    production monitors is the runbook's.
    """
    if data_decision not in ("keep", "delete"):
        raise Refused(f"the data decision is 'keep' or 'delete', not '{data_decision}'", rule="data-decision")
    if not 1.0 <= clock_speed < float("inf"):
        raise Refused(f"the clock's speed is a number from 1 on, not {clock_speed}", rule="clock-speed")
    if interval_minutes is not None and interval_minutes != runbook.window.interval_minutes:
        runbook = _with_interval(runbook, interval_minutes, clock_speed=clock_speed)
    merged: dict[str, Value] = dict(runbook.parameters)
    for name, value in (parameters or {}).items():
        if name not in runbook.parameters:
            known = ", ".join(sorted(runbook.parameters)) or "none"
            raise Refused(
                f"runbook {runbook.slug} has no parameter '{name}' (known: {known})", rule="parameter"
            )
        merged[name] = _as_type_of(runbook.parameters[name], value, name=name)
    return Plan(
        runbook=runbook,
        target=target,
        data_decision=data_decision,
        clock_speed=clock_speed,
        parameters=merged,
    )


def _with_interval(runbook: Runbook, minutes: float, *, clock_speed: float) -> Runbook:
    """The runbook with checks every ``minutes`` of market time. Raises Refused on the real clock, or without
    four checks.
    """
    if clock_speed == 1.0:
        raise Refused(
            "the interval of checks is the runbook's; only a compressed clock may change it", rule="interval"
        )
    if not 0 < minutes <= runbook.window.hours * 60 / 4:
        raise Refused(f"checks every {minutes:g} minutes leave a window of fewer than four", rule="interval")
    window = runbook.window.model_copy(update={"interval_minutes": minutes})
    return runbook.model_copy(update={"window": window})


def _as_type_of(default: Value, value: Value, *, name: str) -> Value:
    """``value`` as the type of ``default``; a whole number may stand for a float."""
    wanted = type(default)
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    if isinstance(value, str):
        text = value.strip().lower()
        if wanted is bool and text in _TRUE | _FALSE:
            return text in _TRUE
        if wanted in (int, float):
            try:
                return int(text) if wanted is int else float(text)
            except ValueError:
                pass  # refused below, with the same words as every other wrong value
    raise Refused(f"parameter '{name}' must be of type {wanted.__name__}, not '{value}'", rule="parameter")
