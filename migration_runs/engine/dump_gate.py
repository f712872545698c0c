"""Changes of definitions, and backups of our own, wait until nobody else's dump of the target is running."""

from __future__ import annotations

from psycopg.rows import dict_row

from migration_runs.engine import connection, statements
from migration_runs.engine.outcome import StepResult, Waiting
from migration_runs.engine.steps.base import StepContext
from migration_runs.runbook import placeholders, sqltokens
from migration_runs.runbook import statements as sql_statements
from migration_runs.runbook.base import SqlFile

LOOK_AGAIN_S = 2.0


def wait_for(ctx: StepContext) -> StepResult | None:
    """What a step says that waits for a running dump, giving its worker back; None when there is no dump."""
    tables = [statements.quoted(name) for name in ctx.job.plan.runbook.tables]
    ours = connection.application_name(ctx.job.run_uid, "")
    with ctx.connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statements.load("dumps"), {"tables": tables, "ours": ours})
        found = [
            f"{row['application_name']} ({row['usename']}, pid {row['pid']}, for {row['seconds']} s)"
            for row in cursor
        ]
    if not found:
        return None
    text = "waiting for a backup to end: " + "; ".join(found)
    return StepResult(
        summary=text,
        waiting=Waiting(step=ctx.step.key, kind="dump", text=text, look_again_s=LOOK_AGAIN_S),
    )


def changes_definitions(file: SqlFile | None) -> bool:
    """Whether the file has a statement that changes definitions. None has not."""
    if file is None:
        return False
    found = sqltokens.statements(sqltokens.tokens(placeholders.as_sql(file.text)))
    return any(sql_statements.is_ddl(statement) for statement in found)
