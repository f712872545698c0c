"""A host whose wall clock can be set while its processes run; Python imports this file at start-up.

``FAULTS_CLOCK`` names a file with the seconds by which the clock is wrong; without the file it is right.
"""

# ruff: noqa: INP001 - found by its name on the path, part of no package

from __future__ import annotations

import datetime as dt
import os
import time
from typing import Any

PLACE = os.environ.get("FAULTS_CLOCK", "")
_real_time, _real_time_ns = time.time, time.time_ns
_Real = dt.datetime


def _wrong_by() -> float:
    try:
        with open(PLACE, encoding="ascii") as file:  # noqa: PTH123 - before anything else is imported
            return float(file.read() or 0)
    except OSError:
        return 0.0


class _IsReal(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Real)


class _Shifted(_Real, metaclass=_IsReal):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _Real.now(tz) + dt.timedelta(seconds=_wrong_by())

    @classmethod
    def utcnow(cls) -> Any:
        return _Real.now(dt.timezone.utc).replace(tzinfo=None) + dt.timedelta(seconds=_wrong_by())  # noqa: UP017


if PLACE:
    time.time = lambda: _real_time() + _wrong_by()
    time.time_ns = lambda: _real_time_ns() + round(_wrong_by() * 1e9)
    dt.datetime = _Shifted  # type: ignore[misc]
