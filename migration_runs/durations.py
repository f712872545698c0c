"""Lengths of time as people say them."""

from __future__ import annotations

_EXACT_BELOW, _SECONDS_BELOW, _MINUTES_BELOW = 10, 120, 120


def said(seconds: float) -> str:
    """``0.19 s``, ``77 s``, ``15 min``, ``2 h 05 min``."""
    if seconds < _EXACT_BELOW:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    if seconds < _SECONDS_BELOW:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < _MINUTES_BELOW:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"
