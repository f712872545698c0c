from __future__ import annotations

import math

import pytest

from bars import pairs

CHECK_CLOSES = {
    "EURUSD": 1.05,
    "USDJPY": 108.50,
    "GBPUSD": 1.25,
    "USDCAD": 1.30,
    "USDSEK": 10.15,
    "USDCHF": 0.92,
}


def test_formula_gives_the_check_value() -> None:
    index = pairs.dollar_index(CHECK_CLOSES)
    assert index is not None
    assert round(index, 2) == 101.07


@pytest.mark.parametrize("symbol", CHECK_CLOSES)
def test_a_missing_component_gives_no_index(symbol: str) -> None:
    assert pairs.dollar_index({name: close for name, close in CHECK_CLOSES.items() if name != symbol}) is None


@pytest.mark.parametrize("close", [0.0, -1.0, math.inf, math.nan])
def test_a_close_that_is_no_price_gives_no_index(close: float) -> None:
    assert pairs.dollar_index(CHECK_CLOSES | {"USDSEK": close}) is None


def test_a_stronger_dollar_raises_the_index_through_every_pair() -> None:
    before = pairs.dollar_index(CHECK_CLOSES)
    assert before is not None
    for pair in pairs.PAIRS:
        stronger = 1.01 if pair.symbol.startswith("USD") else 1 / 1.01
        after = pairs.dollar_index(CHECK_CLOSES | {pair.symbol: CHECK_CLOSES[pair.symbol] * stronger})
        assert after is not None
        assert after > before
