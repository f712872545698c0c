"""Reading the SQL files of the control database."""

from __future__ import annotations

from pathlib import Path

SQL = Path(__file__).parent / "sql"


def read(name: str) -> str:
    """Text of a file of ``migration_runs/sql``."""
    return (SQL / name).read_text(encoding="utf-8")
