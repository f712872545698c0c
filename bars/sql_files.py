"""The SQL of the bars system, one statement or one object per file under ``bars/sql``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import LiteralString

ROOT = Path(__file__).resolve().parent / "sql"


@functools.cache
def read(name: str) -> LiteralString:
    """Return the text of ``bars/sql/<name>.sql``.

    The files ship with the code, so their text is as trusted as a literal. Raises ``FileNotFoundError``.
    """
    return (ROOT / f"{name}.sql").read_text(encoding="utf-8")


def legacy_names() -> tuple[str, ...]:
    """Return the names of the legacy world's files in the order in which they install."""
    return tuple(f"legacy/{path.stem}" for path in sorted((ROOT / "legacy").glob("*.sql")))
