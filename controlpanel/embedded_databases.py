"""Roles and databases of an embedded (or any other) PostgreSQL server: control, target and scratch.

Everything here needs a superuser and can be repeated: what exists already is left as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

SQL_DIR = Path(__file__).parent / "sql"
SUPERUSER = "postgres"
CONTROL_ROLES = ("phasegate_owner", "phasegate_app")
TARGET_ROLES = ("bars_owner", "phasegate_runner", "bars_app")
ROLES = (SUPERUSER, *CONTROL_ROLES, *TARGET_ROLES)


@dataclasses.dataclass(frozen=True)
class ControlUrls:
    """Connection URLs of one control database."""

    app_url: str
    owner_url: str
    dbname: str


@dataclasses.dataclass(frozen=True)
class TargetUrls:
    """Connection URLs of one target (or scratch) database, by role."""

    owner_url: str
    """``bars_owner``: owns tables and functions."""
    runner_url: str
    """``phasegate_runner``: what workers connect as."""
    app_url: str
    """``bars_app``: what feed, aggregator and signal engine connect as."""
    dsn: str
    """A superuser's: for tests that look behind the scenes or break things."""
    dbname: str


@dataclasses.dataclass(frozen=True)
class Databases:
    """One server on which databases are made. `passwords` is by role name."""

    host: str
    port: int
    passwords: Mapping[str, str]

    def url(self, role: str, dbname: str) -> str:
        """Connection URL of `role` to `dbname`. Raises KeyError for a role that this server does not have."""
        password = quote(self.passwords[role], safe="")
        return f"postgresql://{role}:{password}@{self.host}:{self.port}/{quote(dbname, safe='')}"

    def control_urls(self, dbname: str) -> ControlUrls:
        """URLs of a control database, whether it exists or not."""
        return ControlUrls(
            app_url=self.url("phasegate_app", dbname),
            owner_url=self.url("phasegate_owner", dbname),
            dbname=dbname,
        )

    def target_urls(self, dbname: str) -> TargetUrls:
        """URLs of a target database, whether it exists or not."""
        return TargetUrls(
            owner_url=self.url("bars_owner", dbname),
            runner_url=self.url("phasegate_runner", dbname),
            app_url=self.url("bars_app", dbname),
            dsn=self.url(SUPERUSER, dbname),
            dbname=dbname,
        )

    def ensure_control(self, dbname: str, *, template: str | None = None) -> ControlUrls:
        """Make the control database's roles and, unless it exists, the database `dbname`."""
        with self._maintenance() as conn:
            self._ensure_roles(conn, "control_roles.sql", CONTROL_ROLES)
            made = _ensure_database(conn, dbname, owner="phasegate_owner", template=template)
            _run_file(conn, "control_access.sql", database=sql.Identifier(dbname))
        if made and template is None:
            with psycopg.connect(self.url(SUPERUSER, dbname), autocommit=True) as conn:
                _run_file(conn, "control_schema.sql")
        return self.control_urls(dbname)

    def ensure_target(self, dbname: str, *, template: str | None = None) -> TargetUrls:
        """Make the target's roles and, unless it exists, the database: empty, or a copy of `template`.

        Scratch databases are made alike: a backup that is restored there finds the roles that it names.
        """
        with self._maintenance() as conn:
            self._ensure_roles(conn, "target_roles.sql", TARGET_ROLES)
            _ensure_database(conn, dbname, owner="bars_owner", template=template)
            _run_file(conn, "target_access.sql", database=sql.Identifier(dbname))
        return self.target_urls(dbname)

    def drop(self, dbname: str) -> None:
        """Drop the database if it exists, ending its sessions."""
        with self._maintenance() as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(dbname)))

    def _maintenance(self) -> psycopg.Connection:
        return psycopg.connect(self.url(SUPERUSER, SUPERUSER), autocommit=True)

    def _ensure_roles(self, conn: psycopg.Connection, file: str, roles: tuple[str, ...]) -> None:
        found = conn.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(roles)]).fetchall()
        if len(found) == len(roles):
            return
        passwords = {
            f"{role.rpartition('_')[2]}_password": sql.Literal(self.passwords[role]) for role in roles
        }
        with conn.transaction():
            _run_file(conn, file, **passwords)


def _ensure_database(conn: psycopg.Connection, dbname: str, *, owner: str, template: str | None) -> bool:
    """Whether the database had to be made."""
    if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname]).fetchone():
        return False
    conn.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(dbname), sql.Identifier(owner), sql.Identifier(template or "template0")
        )
    )
    return True


def _run_file(conn: psycopg.Connection, file: str, **values: sql.Composable) -> None:
    text = (SQL_DIR / file).read_text(encoding="utf-8")
    conn.execute(sql.SQL(text).format(**values))
