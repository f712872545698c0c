"""The engine deliberately broken, each in one way that looks harmless, and that nearly every seed finds.

Not every mistake is: a drain that does not wait for open chunks, or a copier that overwrites, passed the
seeds that were tried. Such ones have tests that force the order (``tests/integration/test_protocol_*.py``).

A variant changes functions of the engine inside one process; workers apply it in theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from psycopg import sql

from migration_runs.engine.move import drain, locking, mirror_functions
from tests.faults.fuzz.form import Route

Broken = list[tuple[Any, str, Callable[..., Any]]]


def _loop_guard() -> Broken:
    """Triggers that pass nested statements by: the application's own ones are lost with the echoes."""
    body = mirror_functions.body

    def guarded(*args: Any, **more: Any) -> sql.Composed:
        text = body(*args, **more).as_string()
        assert "\nBEGIN\n" in text
        guard = "\nBEGIN\n    IF pg_trigger_depth() > 1 THEN RETURN NULL; END IF;\n"
        return sql.Composed([sql.SQL(text.replace("\nBEGIN\n", guard, 1))])

    return [(mirror_functions, "body", guarded)]


def _unnoted() -> Broken:
    """Triggers that note only what they could not write: an open chunk brings back what was taken away."""
    body = mirror_functions.body

    def silent(*args: Any, **more: Any) -> sql.Composed:
        text = body(*args, **more).as_string()
        assert "IF NOT echo AND" in text
        return sql.Composed([sql.SQL(text.replace("IF NOT echo AND", "IF false AND", 1))])

    return [(mirror_functions, "body", silent)]


def _unlocked_drain() -> Broken:
    """The drain locks no row, and does not look for newer entries."""
    return [(drain, "lock_rows", lambda *_: None), (drain, "newer", lambda *_: False)]


def _triggers_first() -> Broken:
    """Dual-write goes off without a drain under lock: what is on its way is stranded."""
    return [(drain, "settle_locked", lambda *_: 0), (locking, "lock_tables", lambda *_, **__: None)]


@dataclass(frozen=True)
class Variant:
    """What is broken; the form and the route on which that can show."""

    broken: Callable[[], Broken]
    route: Route
    form: Mapping[str, Any] = field(default_factory=dict)


VARIANTS: dict[str, Variant] = {
    "loop_guard": Variant(_loop_guard, "copied", {"nested": True}),
    "unnoted": Variant(_unnoted, "copied", {"pace_ms": 2.0}),
    "unlocked_drain": Variant(_unlocked_drain, "switched", {"pace_ms": 2.0}),
    "triggers_first": Variant(_triggers_first, "completed", {"pace_ms": 2.0}),
}


@contextmanager
def applied(name: str | None) -> Iterator[None]:
    """The engine of this process in that variant; as it is for None."""
    broken = VARIANTS[name].broken() if name is not None else []
    patches = [mock.patch.object(place, attribute, new) for place, attribute, new in broken]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
