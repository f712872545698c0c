"""Reading the verdict of the bars functions, which answer ``success: false`` instead of raising."""

from __future__ import annotations

from typing import Any

import psycopg

from bars.exceptions import DerivationFailed


def call(conn: psycopg.Connection[Any], statement: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Run a statement that returns one function's jsonb answer, and return the answer.

    Raises ``DerivationFailed`` when the answer is missing or is anything but ``success: true``; the exception
    carries the SQLSTATE that the function reported as ``sqlstate``.
    """
    row = conn.execute(statement, parameters).fetchone()
    answer = row[0] if row else None
    if isinstance(answer, dict) and answer.get("success") is True:
        return answer
    sqlstate = answer.get("sqlstate") if isinstance(answer, dict) else None
    raise DerivationFailed(f"the function answered {answer!r}", sqlstate=sqlstate)
