"""The target's schema and a few of its rows in the scratch database: what files are rehearsed on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from migration_runs.engine import archive, connection, pg_programs, statements
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.scratch import empty, restoring_name
from migration_runs.exceptions import StepFailed

WHOLE_ROWS = 5_000
"""A table with fewer rows is copied as a whole: registries and states that others refer to."""

SAMPLE_ROWS = 1_000
_FOREIGN_KEY = " FK CONSTRAINT "


def lay_out(job: Job, reporter: Reporter, scratch: psycopg.Connection[Any]) -> int:
    """Restore the schema of the plan's tables and functions into the empty scratch database, with some rows.

    Returns the rows copied. Foreign keys that the sample cannot satisfy are left out, and logged. Raises
    StepFailed when the schema cannot be dumped or restored.
    """
    program = pg_programs.find("pg_dump", job.pg_bin_dir)
    tables = job.plan.runbook.tables
    with (
        tempfile.TemporaryDirectory(prefix="phasegate-rehearsal-") as folder,
        connection.connect_job(job) as conn,
    ):
        pg_programs.require_version(program, conn.info.server_version // 10_000)
        wanted = archive.scope(conn, job.plan, tables)
        path = Path(folder) / "schema.dump"
        with path.open("wb") as sink:
            pg_programs.stream(
                archive.dump_command(program, wanted, snapshot=None, rows=False),
                sink,
                env=pg_programs.environment(
                    job.target_url, application_name=connection.application_name(job.run_uid, job.worker)
                ),
                each=lambda _: archive.look(reporter),
            )
        try:
            restoring = _restore(job, reporter, conn, scratch, path, wanted, owners=True)
        except StepFailed as error:
            reporter.log("warn", f"rehearsed without the objects' owners: {error}")
            empty(scratch)
            restoring = _restore(job, reporter, conn, scratch, path, wanted, owners=False)
        rows = sum(_copy(conn, scratch, job, table) for table in tables)
        restoring.restore("post-data", without=_FOREIGN_KEY)
        try:
            restoring.restore("post-data", only=_FOREIGN_KEY)
        except StepFailed as error:
            reporter.log("warn", f"rehearsed without some foreign keys: {error}")
    return rows


def _restore(
    job: Job,
    reporter: Reporter,
    target: psycopg.Connection[Any],
    scratch: psycopg.Connection[Any],
    path: Path,
    wanted: archive.Scope,
    *,
    owners: bool,
) -> archive.Restoring:
    """Tables, types and functions; with their owners, so that SECURITY DEFINER means what it means there."""
    _grant_schemas(target, scratch, wanted.schemas)
    restoring = archive.Restoring(
        job, reporter, path, wanted, application_name=restoring_name(job), owners=owners
    )
    restoring.restore("pre-data")
    _grant_schemas(target, scratch, wanted.schemas)
    return restoring


def _copy(target: psycopg.Connection[Any], scratch: psycopg.Connection[Any], job: Job, table: str) -> int:
    """Copy some rows of one table: in-scope ones of the move's source, the newest first."""
    with target.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("sample_columns"), {"table": statements.quoted(table)})
        columns = cursor.fetchall()
    if not columns:
        return 0
    names = sql.SQL(", ").join(sql.Identifier(column["name"]) for column in columns)
    query = sql.SQL("SELECT {} FROM {}").format(names, statements.relation(table))
    if not 0 <= columns[0]["rows"] < WHOLE_ROWS:
        query += _choice(job, table)
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(statements.relation(table), names)
    with target.cursor() as reading, scratch.cursor() as writing:
        with (
            reading.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as source,
            writing.copy(into) as sink,
        ):
            for block in source:
                sink.write(block)
        copied = writing.rowcount
    for column in columns:
        if column["sequence"] is not None:
            scratch.execute(
                sql.SQL("SELECT setval({}, greatest(max({}), 0) + 1, false) FROM {}").format(
                    sql.Literal(column["sequence"]),
                    sql.Identifier(column["name"]),
                    statements.relation(table),
                )
            )
    return copied


def _grant_schemas(
    target: psycopg.Connection[Any], scratch: psycopg.Connection[Any], schemas: tuple[str, ...]
) -> None:
    """Let the same roles use, and create in, the schemas as in the target, as far as they exist here."""
    with target.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("schema_privileges"), {"schemas": list(schemas)})
        wanted = cursor.fetchall()
    roles = {row[0] for row in scratch.execute("SELECT rolname FROM pg_roles")} | {None}
    here = {row[0] for row in scratch.execute("SELECT nspname FROM pg_namespace")}
    for grant in wanted:
        if grant["grantee"] not in roles or grant["schema"] not in here:
            continue
        role = sql.SQL("PUBLIC") if grant["grantee"] is None else sql.Identifier(grant["grantee"])
        privilege = sql.SQL("CREATE") if grant["privilege"] == "CREATE" else sql.SQL("USAGE")
        scratch.execute(
            sql.SQL("GRANT {} ON SCHEMA {} TO {}").format(privilege, sql.Identifier(grant["schema"]), role)
        )


def _choice(job: Job, table: str) -> sql.Composed:
    move = job.plan.runbook.move
    choice = sql.SQL("").format()
    if table == move.source:
        if move.scope:
            choice += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
                for name, value in move.scope.items()
            )
        choice += sql.SQL(" ORDER BY {} DESC").format(sql.Identifier(move.chunk_column))
    return choice + sql.SQL(" LIMIT {}").format(sql.Literal(SAMPLE_ROWS))
