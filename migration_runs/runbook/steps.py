"""The step kinds of a runbook, as declared. What they do is in ``engine/steps/<kind>.py``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from migration_runs.phases import Role
from migration_runs.runbook.base import Frozen, SqlFile


class StepBase(Frozen):
    """What every step has. ``undo_none`` is the reason why nothing needs undoing, shown to approvers."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    title: str
    estimate_s: float = 1.0
    lock_timeout_ms: int = Field(default=200, gt=0)
    statement_timeout_s: float = Field(default=60.0, gt=0)
    undo: SqlFile | None = None
    undo_none: str | None = None


class RowsOf(Frozen):
    """Rows of ``table`` whose columns equal ``where``."""

    table: str
    where: dict[str, str | int | bool]


class BeforeImageOf(Frozen):
    """Objects whose definition (functions) or content (rows) is kept before the step changes them.

    ``functions`` are ``schema.name(argument types)``; each is restored to its definition or, where
    it did not exist, dropped. ``rows`` name a table and the column values that select the rows.
    ``keep_if`` names the data decision under which a rollback does *not* restore them: with *keep*, rows
    copied into the target stay, and a reader of the old shape would count them twice.
    """

    functions: tuple[str, ...] = ()
    rows: tuple[RowsOf, ...] = ()
    keep_if: Literal["keep", "delete"] | None = None


class SqlStep(StepBase):
    """Execute one file in one transaction (or outside one, where the statement asks for it).

    ``verdict`` names a boolean inside the single result row (a column, or ``column.key`` of a
    jsonb value) that must be true: a call's own verdict is checked, not its arrival. The row is the last
    statement's. A ``trial`` is executed, judged, and then always rolled back: it proves and changes nothing.
    """

    kind: Literal["sql"]
    sql: SqlFile
    before_image: BeforeImageOf | None = None
    transaction: bool = True
    verdict: str | None = None
    trial: bool = False


class AssertStep(StepBase):
    """A query whose rows say ``ok`` (boolean) and ``message`` (text); no row, or one not ok, fails.

    With ``repair``, a failing assertion is repaired, after ``repair_check`` (same row shape) proved
    on live rows that the repair holds, and then asserted again.
    """

    kind: Literal["assert"]
    sql: SqlFile
    repair: SqlFile | None = None
    repair_check: SqlFile | None = None


class BackupStep(StepBase):
    """``pg_dump`` of the named tables and of every function the plan touches; checksummed, restored to prove
    it.
    """

    kind: Literal["backup"]
    tables: tuple[str, ...]


class RehearseSqlStep(StepBase):
    """Restore the schema into the scratch database and execute every file of the plan there, in order, with
    its undo.
    """

    kind: Literal["rehearse_sql"]


class SnapshotStep(StepBase):
    """Keep the result of a query under ``key``: counts before, counts after."""

    kind: Literal["snapshot"]
    sql: SqlFile


class DualWriteStep(StepBase):
    """Turn a sync direction on, proven by a canary row in a transaction that is rolled back."""

    kind: Literal["dual_write"]
    direction: Literal["forward", "reverse"]


class CopyStep(StepBase):
    """``chunks``: the chunked copy of history. ``settle``: wait for older transactions, then drain touched
    keys.
    """

    kind: Literal["copy"]
    part: Literal["chunks", "settle"]


class VerifyStep(StepBase):
    """Compare source and target row by row under one snapshot; any difference not on the touched
    list fails.
    """

    kind: Literal["verify"]


class ConfirmStep(StepBase):
    """A person confirms something done elsewhere, with evidence matching ``evidence_pattern``.

    ``undo_text``, when given, is what a person must confirm when the step is undone.
    """

    kind: Literal["confirm"]
    role: Role
    text: str
    evidence_hint: str
    evidence_pattern: str = r"\S{3,}"
    undo_text: str | None = None


class ObserveStep(StepBase):
    """Statistics prove the switch: calls of ``old_functions`` stand still, calls of ``new_functions`` grow.

    Both for ``quiet_s`` seconds of the target's market clock, and at least 2 s of real time.
    ``old_callers`` are LIKE patterns of application_name that must be gone from pg_stat_activity.
    When undone, old and new change places.
    """

    kind: Literal["observe"]
    old_functions: tuple[str, ...]
    new_functions: tuple[str, ...]
    old_callers: tuple[str, ...] = ()
    new_callers: tuple[str, ...] = ()
    quiet_s: float = 60.0


class CheckStep(StepBase):
    """One of the runbook's health checks, run once (phase 6); ``check`` is the key of a declared check.

    Its ``%(since)s`` is the market time at which phase 5 was finished. A check that does not pass yet is
    asked
    again for ``patience_s`` seconds of the market's clock (and at least 10 s of real time where it is
    above 0).
    """

    kind: Literal["check"]
    check: str
    patience_s: float = Field(default=0.0, ge=0)


class MonitorStep(StepBase):
    """The window: hourly checks until the window is whole."""

    kind: Literal["monitor"]


class SoftDeleteStep(StepBase):
    """Retire exactly the migrated source rows that are proven equal, then take dual-write off under lock."""

    kind: Literal["soft_delete"]


class DeleteStep(StepBase):
    """As ``soft_delete``, for a table without soft delete: rows are deleted, their images kept in
    the ledger.
    """

    kind: Literal["delete"]


Step = Annotated[
    SqlStep | AssertStep | BackupStep | RehearseSqlStep | SnapshotStep | DualWriteStep | CopyStep | VerifyStep
    | ConfirmStep | ObserveStep | CheckStep | MonitorStep | SoftDeleteStep | DeleteStep,
    Field(discriminator="kind"),
]  # fmt: skip
