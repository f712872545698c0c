"""Rows that differ, as a page can show them: what is long is cut around the place where both sides part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from migration_runs.selectors.verification_views import CellView, DifferenceView

LONGEST = 240
"""Characters of a value that are shown."""

BEFORE = 40
"""So many of them stand before the first character that differs."""


def of(examples: Sequence[Mapping[str, Any]]) -> tuple[DifferenceView, ...]:
    """The rows of a report, in its order."""
    return tuple(_row(example) for example in examples)


def _row(example: Mapping[str, Any]) -> DifferenceView:
    source, target, key = example["source"], example["target"], example["key"]
    columns = example["columns"]
    if source is None or target is None:
        one_side = source or target or {}
        columns = [name for name in one_side if name not in key] or list(one_side)
    since = example.get("first_seen")
    return DifferenceView(
        state=f"row_{example['kind']}",
        key=tuple((name, cut(value) or "") for name, value in key.items()),
        cells=tuple(_cell(name, source or {}, target or {}) for name in columns),
        first_seen=datetime.fromisoformat(since) if since else None,
    )


def _cell(name: str, source: Mapping[str, str | None], target: Mapping[str, str | None]) -> CellView:
    old, new = source.get(name), target.get(name)
    parts_at = _parts_at(old, new) if old is not None and new is not None else 0
    return CellView(name, cut(old, parts_at), cut(new, parts_at))


def _parts_at(old: str, new: str) -> int:
    """Where the first character differs; the end of the shorter one if it begins the longer one."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(old), len(new)))


def cut(value: str | None, around: int = 0) -> str | None:
    """The value, or as much of it as is shown around that place, with marks where something was left out."""
    if value is None or len(value) <= LONGEST:
        return value
    start = max(around - BEFORE, 0)
    end = start + LONGEST
    before = "…" if start else ""
    after = f"… ({len(value):,} characters)" if end < len(value) else f" ({len(value):,} characters)"
    return f"{before}{value[start:end]}{after}"
