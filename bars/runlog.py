"""The operations log of the bars system, table ``ops_runlog`` on the target."""

from __future__ import annotations

from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

Level = Literal["info", "warning", "error"]


def write(
    conn: psycopg.Connection[Any],
    *,
    component: str,
    level: Level,
    message: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """Append one line: a warning where a retry may cure it, an error where a person has to look."""
    conn.execute(
        "INSERT INTO public.ops_runlog (component, level, message, detail) VALUES (%s, %s, %s, %s)",
        [component, level, message, Jsonb(detail or {})],
    )


def loaded_seed(conn: psycopg.Connection[Any]) -> int:
    """Return the seed of the newest load, with which the feed goes on; 1 where none is recorded."""
    row = conn.execute(
        "SELECT detail ->> 'seed' FROM public.ops_runlog WHERE component = 'load' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else 1
