"""The engine's own statements: .sql files beside the code, and names that a plan gave, quoted."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from psycopg import sql

_FOLDER = Path(__file__).resolve().parent / "sql"


@cache
def load(name: str) -> bytes:
    """The statement in ``sql/<name>.sql``, as psycopg takes it."""
    return (_FOLDER / f"{name}.sql").read_bytes()


@cache
def template(name: str) -> sql.SQL:
    """``sql/<name>.sql`` without its header comment, to be filled in by :func:`compose`."""
    lines = load(name).decode().splitlines(keepends=True)
    while lines and (lines[0].startswith("--") or not lines[0].strip()):
        del lines[0]
    # A packaged file is as trustworthy as a literal in the code, which is what psycopg asks for.
    return sql.SQL("".join(lines))


def compose(name: str, **parts: sql.Composable) -> sql.Composed:
    """The statement in ``sql/<name>.sql`` with its ``{placeholders}`` filled. Raises KeyError for a lack."""
    return template(name).format(**parts)


def relation(name: str) -> sql.Identifier:
    """``schema.table`` of a plan as an identifier; without a schema it is in ``public``."""
    schema, _, table = name.rpartition(".")
    return sql.Identifier(schema or "public", table)


def quoted(name: str) -> str:
    """``schema.table`` as text that ``to_regclass`` reads."""
    return relation(name).as_string()
