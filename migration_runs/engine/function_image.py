"""A function's image: definition, owner, who may execute it, comment; or that it did not exist."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from migration_runs.engine import statements

Image = dict[str, Any]


def capture(conn: psycopg.Connection[Any], signature: str) -> Image:
    """The image of ``schema.name(argument types)`` as it is now."""
    found = _look(conn, signature)
    if found is None:
        return {"signature": signature, "existed": False}
    return {"signature": signature, "existed": True, **found}


def restore(conn: psycopg.Connection[Any], image: Image) -> None:
    """Put the function back as the image has it, or drop it where it did not exist.

    One whose result type was changed cannot be replaced and is dropped first, without CASCADE: a view that
    uses the new one makes PostgreSQL refuse, which is what a person must hear of. Raises psycopg.Error.
    """
    now = _look(conn, image["signature"])
    if not image["existed"]:
        if now is not None:
            conn.execute(_command("DROP {kind} {name}", now))
        return
    if now is None or now["definition"] != image["definition"]:
        _define(conn, image, now)
        now = _look(conn, image["signature"])
        assert now is not None
    if now["owner"] != image["owner"]:
        conn.execute(
            _command("ALTER {kind} {name} OWNER TO {role}", now, role=sql.Identifier(image["owner"]))
        )
        now = _look(conn, image["signature"])
        assert now is not None
    _restore_grants(conn, image, now)
    if now["comment"] != image["comment"]:
        text = sql.Literal(image["comment"]) if image["comment"] is not None else sql.SQL("NULL")
        conn.execute(_command("COMMENT ON {kind} {name} IS {text}", now, text=text))


def _define(conn: psycopg.Connection[Any], image: Image, now: Image | None) -> None:
    definition = image["definition"].encode()
    if now is None:
        conn.execute(definition)
        return
    try:
        with conn.transaction():
            conn.execute(definition)
    except psycopg.errors.InvalidFunctionDefinition:
        conn.execute(_command("DROP {kind} {name}", now))
        conn.execute(definition)


def _restore_grants(conn: psycopg.Connection[Any], image: Image, now: Image) -> None:
    wanted = {entry["grantee"]: entry["grantable"] for entry in image["execute"]}
    found = {entry["grantee"]: entry["grantable"] for entry in now["execute"]}
    for grantee, grantable in found.items():
        if wanted.get(grantee) != grantable:
            role = _grantee(grantee)
            conn.execute(_command("REVOKE ALL ON {kind} {name} FROM {role}", now, role=role))
    for grantee, grantable in wanted.items():
        if found.get(grantee) != grantable:
            option = " WITH GRANT OPTION" if grantable else ""
            grant = "GRANT EXECUTE ON {kind} {name} TO {role}" + option
            conn.execute(_command(grant, now, role=_grantee(grantee)))


def _grantee(name: str | None) -> sql.Composable:
    return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)


def _command(template: str, image: Image, **parts: sql.Composable) -> bytes:
    """A statement on the function. Its name, from the catalog, is as PostgreSQL quotes it."""
    text = template.replace("{kind}", image["kind"])
    before, _, after = text.partition("{name}")
    named = {name: part.as_string() for name, part in parts.items()}
    return f"{before}{image['name']}{after.format(**named)}".encode()


def _look(conn: psycopg.Connection[Any], signature: str) -> Image | None:
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("function_image"), {"signature": signature})
        return cursor.fetchone()
