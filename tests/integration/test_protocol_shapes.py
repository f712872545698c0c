"""What the protocol takes and what it refuses, on real catalogs."""

from __future__ import annotations

from controlpanel.embedded_databases import TargetUrls
from tests.integration import worlds


def test_both_worlds_are_taken(target: TargetUrls) -> None:
    dxy, orders = worlds.dxy_like(target), worlds.orders_like(target)
    assert dxy.shape().key_names == ("k1", "k2", "k3")
    assert [column.name for column in orders.shape().identity] == ["customer", "code"]
