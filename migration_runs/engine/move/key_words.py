"""Keys as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from migration_runs.engine.move.names import Shape


def in_words(shape: Shape, keys: Sequence[Sequence[str]]) -> str:
    """``(symbol=DXY, ts=2026-03-02 08:00:00+00), ...`` by the source's names for the key's columns."""
    return ", ".join(
        "(" + ", ".join(f"{name}={text}" for name, text in zip(shape.move.key, key, strict=True)) + ")"
        for key in keys
    )
