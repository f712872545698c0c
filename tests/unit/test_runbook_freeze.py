"""Freezing: a plan has the run's parameters, of the runbook's types, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration_runs.exceptions import Refused
from migration_runs.runbook import freeze, loader
from migration_runs.runbook.plan import Plan

BARS = Path(__file__).parents[2] / "bars" / "runbooks" / "dxy_1m"
RUNBOOK = loader.load(BARS)


def _plan(**changes: object) -> Plan:
    settings: dict[str, object] = {"target": "bars", "data_decision": "keep"} | changes
    return freeze.freeze(RUNBOOK, **settings)  # type: ignore[arg-type]


def test_defaults_are_the_runbooks() -> None:
    assert _plan().parameters == {"price_low": 80.0, "price_high": 120.0}


@pytest.mark.parametrize("value", ["85", "85.0", 85, 85.0])
def test_parameter_takes_the_type_of_its_default(value: str | float) -> None:
    changed = _plan(parameters={"price_low": value}).parameters["price_low"]
    assert changed == 85.0
    assert isinstance(changed, float)


def test_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Refused, match=r"no parameter 'price'.*price_high, price_low"):
        _plan(parameters={"price": 1})


@pytest.mark.parametrize("value", ["cheap", True, ""])
def test_parameter_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(Refused, match="must be of type float"):
        _plan(parameters={"price_low": value})


@pytest.mark.parametrize("speed", [0.5, 0.0, -1.0, float("nan"), float("inf")])
def test_clock_slower_than_real_time_is_refused(speed: float) -> None:
    with pytest.raises(Refused, match="clock"):
        _plan(clock_speed=speed)


def test_data_decision_must_be_one_of_two() -> None:
    with pytest.raises(Refused, match="keep"):
        _plan(data_decision="maybe")


def test_digest_differs_by_target_decision_speed_and_parameters() -> None:
    plans = [
        _plan(),
        _plan(target="staging"),
        _plan(data_decision="delete"),
        _plan(clock_speed=60.0),
        _plan(parameters={"price_low": 81}),
    ]
    assert len({plan.digest for plan in plans}) == len(plans)
    assert _plan().digest == _plan().digest
