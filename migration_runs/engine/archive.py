"""A dump archive: made of one snapshot of the target, and restored into the scratch database.

An archive holds the whole schema of the schemas that a plan's tables and functions live in (so that every
function, type and trigger is there, in an order that can be restored) and the rows of the named tables only.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migration_runs.engine import pg_programs, statements
from migration_runs.engine.job import Job, Reporter
from migration_runs.exceptions import StepFailed, StopRequested
from migration_runs.runbook.plan import Plan

_LEFT_OUT = (
    " DEFAULT ACL ",
    " EVENT TRIGGER ",
    " PUBLICATION",
    " SUBSCRIPTION",
    " SCHEMA - public ",
)


@dataclass(frozen=True)
class Scope:
    """What an archive is to hold. ``foreign_keys_out`` lead to tables whose rows it does not hold."""

    schemas: tuple[str, ...]
    tables: tuple[str, ...]
    without_rows: tuple[str, ...]
    foreign_keys_out: tuple[tuple[str, str, str], ...]
    functions: tuple[str, ...]
    bytes: int


def scope(conn: psycopg.Connection[Any], plan: Plan, tables: tuple[str, ...]) -> Scope:
    """The scope of a backup of ``tables`` and of everything that the plan's SQL names.

    Raises StepFailed naming the tables that do not exist.
    """
    functions = [_qualified(name.partition("(")[0].strip()) for name in plan.runbook.functions]
    named = [*tables, *plan.runbook.tables, plan.runbook.move.source, plan.runbook.move.target, *functions]
    schemas = sorted({_qualified(name).rpartition(".")[0] for name in named})
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            statements.load("backup_scope"),
            {
                "tables": [statements.quoted(name) for name in tables],
                "schemas": schemas,
                "functions": functions,
            },
        )
        row = cursor.fetchone()
    assert row is not None
    if row["missing"]:
        raise StepFailed(
            f"there is no table {', '.join(row['missing'])} to back up", kept="nothing was changed"
        )
    return Scope(
        schemas=tuple(schemas),
        tables=tables,
        without_rows=tuple(sorted(row["without_rows"])),
        foreign_keys_out=tuple((key[0], key[1], key[2]) for key in row["foreign_keys_out"]),
        functions=tuple(sorted(row["functions"])),
        bytes=row["bytes"],
    )


def dump_command(
    program: Path, wanted: Scope, *, snapshot: str | None, rows: bool = True, lock_ms: int = 10_000
) -> list[str]:
    """pg_dump's arguments. It runs with row security off: it fails rather than see a part of the rows."""
    command = [str(program), "--format=custom", "--no-password", f"--lock-wait-timeout={lock_ms}"]
    command += [f"--schema={_pattern(schema)}" for schema in wanted.schemas]
    if snapshot is not None:
        command.append(f"--snapshot={snapshot}")
    if rows:
        command += [f"--exclude-table-data={table}" for table in wanted.without_rows]
    else:
        command.append("--schema-only")
    return command


class Restoring:
    """Restores one archive file into the job's scratch database, section by section.

    With ``owners`` objects get their owners and privileges, which the roles must allow; without, all belong
    to the role that restores.
    """

    def __init__(
        self,
        job: Job,
        reporter: Reporter,
        path: Path,
        wanted: Scope,
        *,
        application_name: str,
        owners: bool = False,
    ) -> None:
        assert job.scratch_url is not None
        self.program = pg_programs.find("pg_restore", job.pg_bin_dir)
        self.path = path
        self.ownership = [] if owners else ["--no-owner", "--no-privileges"]
        self.reporter = reporter
        self.environment = pg_programs.environment(job.scratch_url, application_name=application_name)
        self.entries = self._entries(wanted)

    def restore(self, section: str, *, without: str | None = None, only: str | None = None) -> None:
        """Restore ``pre-data``, ``data`` or ``post-data``. The first error ends it with StepFailed.

        ``without`` and ``only`` choose entries by a word of theirs, such as ``FK CONSTRAINT``.
        """
        entries = [
            entry
            for entry in self.entries
            if (without is None or without not in entry) and (only is None or only in entry)
        ]
        with _list_file(entries) as chosen:
            command = [
                str(self.program), *self.ownership, "--exit-on-error", "--no-password",
                f"--section={section}", f"--use-list={chosen}",
                f"--dbname={self.environment['PGDATABASE']}", str(self.path),
            ]  # fmt: skip
            pg_programs.run(command, env=self.environment, each=self.look)

    def look(self) -> None:
        """Renew the lease; leave when a person asked for it."""
        look(self.reporter)

    def has_function(self, name: str) -> bool:
        """Whether the archive holds a function ``schema.name``."""
        schema, _, function = name.rpartition(".")
        marks = (f" FUNCTION {schema} {function}(", f" PROCEDURE {schema} {function}(")
        return any(mark in entry for entry in self.entries for mark in marks)

    def _entries(self, wanted: Scope) -> list[str]:
        command = [str(self.program), "--list", str(self.path)]
        listed = pg_programs.run(command, env=self.environment, each=self.look).splitlines()
        out = [f" FK CONSTRAINT {schema} {table} {name} " for schema, table, name in wanted.foreign_keys_out]
        return [
            line
            for line in listed
            if line and not line.startswith(";") and not any(mark in line for mark in (*_LEFT_OUT, *out))
        ]


def look(reporter: Reporter) -> None:
    """Between two looks at a program: renew the lease, raise StopRequested when a person asked for it."""
    reporter.beat()
    if reporter.stop_requested():
        raise StopRequested("stopped while a program ran; it was ended and its output removed")


@contextlib.contextmanager
def _list_file(entries: list[str]) -> Iterator[str]:
    handle, name = tempfile.mkstemp(prefix="phasegate-restore-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(entries) + "\n")
        yield name
    finally:
        Path(name).unlink()


def _qualified(name: str) -> str:
    return name if "." in name else f"public.{name}"


def _pattern(schema: str) -> str:
    escaped = schema.replace('"', '""')
    return f'"{escaped}"'
