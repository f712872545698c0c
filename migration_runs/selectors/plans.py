"""Steps of a plan as pages show them: their files, and what, why, locks and undo."""

from __future__ import annotations

from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.steps import AssertStep, ConfirmStep, CopyStep, Step
from migration_runs.selectors.phase_views import NO_UNDO, SqlView


def sql_files(step: Step) -> tuple[SqlView, ...]:
    """Every SQL file of a step, in the order in which a reader wants them."""
    apply: SqlFile | None = getattr(step, "sql", None)
    pairs = [("apply", apply)]
    if isinstance(step, AssertStep):
        pairs += [("repair check", step.repair_check), ("repair", step.repair)]
    pairs += [("undo", step.undo)]
    return tuple(SqlView(what_for, file.path, file.text) for what_for, file in pairs if file is not None)


def header_of(step: Step) -> tuple[str, str, str, str, str]:
    """What, why, locks, timeout and undo of a step: from its file's header, else from its kind."""
    file: SqlFile | None = getattr(step, "sql", None)
    undo = undo_of(step)
    if file is not None:
        return (
            file.header.what,
            file.header.why,
            file.header.locks,
            file.header.timeout,
            undo or file.header.undo,
        )
    timeout = f"lock {step.lock_timeout_ms} ms, statement {step.statement_timeout_s:g} s"
    return (
        KIND_WHAT.get(step.kind, ""),
        "",
        KIND_LOCKS.get(step.kind, "none"),
        timeout,
        undo or KIND_UNDO.get(step.kind, ""),
    )


def has_undo(step: Step) -> bool:
    """Whether a rollback would undo anything of a step that was applied."""
    return not header_of(step)[-1].startswith(NO_UNDO)


def undo_of(step: Step) -> str:
    """How a step is undone, when the runbook itself says so; empty: its kind knows."""
    if step.undo is not None:
        return f"{step.undo.path}: {step.undo.header.what}"
    if step.undo_none:
        return f"{NO_UNDO}: {step.undo_none}"
    if isinstance(step, ConfirmStep) and step.undo_text:
        return f"a person confirms: {step.undo_text}"
    if isinstance(step, CopyStep) and step.part == "settle":
        return f"{NO_UNDO}: the copy's own undo takes its rows"
    if getattr(step, "before_image", None):
        return "automatic: the before-image kept in the ledger is restored"
    return ""


KIND_WHAT = {
    "backup": "Dumps the named tables and every function that the plan touches, and proves it by a restore.",
    "rehearse_sql": "Executes every file of the plan, with its undo, in the scratch database.",
    "dual_write": "Installs statement triggers that keep the other table equal; a canary row, rolled back, "
    "proves them.",
    "copy": "Copies history in chunks, each one transaction with its ledger row; or waits for older "
    "transactions and drains.",
    "verify": "Compares source and target row by row, all mapped columns, under one snapshot.",
    "confirm": "A person confirms, with evidence, what was done elsewhere.",
    "observe": "Proves from the database's own statistics that callers have moved.",
    "check": "Runs one declared health check, once.",
    "monitor": "Waits until the window of checks is whole.",
    "soft_delete": "Retires exactly the migrated source rows that are proven equal, then takes dual-write "
    "off under lock.",
    "delete": "Deletes exactly the migrated source rows that are proven equal, keeping their images; then "
    "takes dual-write off.",
}
KIND_LOCKS = {
    "backup": "ACCESS SHARE",
    "dual_write": "SHARE ROW EXCLUSIVE on both tables, for milliseconds",
    "copy": "ROW EXCLUSIVE on the target, ACCESS SHARE on the source",
    "verify": "ACCESS SHARE",
    "check": "ACCESS SHARE",
    "soft_delete": "row locks in chunks; ACCESS EXCLUSIVE on both tables at the end, for an instant",
    "delete": "row locks in chunks; ACCESS EXCLUSIVE on both tables at the end, for an instant",
}
KIND_UNDO = {
    "backup": f"{NO_UNDO}: reads only",
    "rehearse_sql": f"{NO_UNDO}: works in the scratch database",
    "dual_write": "automatic: the triggers go, after touched keys are drained under lock",
    "copy": "automatic: by the data decision, copied rows are kept, or deleted where proven equal",
    "verify": f"{NO_UNDO}: reads only",
    "confirm": NO_UNDO,
    "observe": "waits until statistics show that callers moved back",
    "check": f"{NO_UNDO}: reads only",
    "monitor": f"{NO_UNDO}: reads only",
    "soft_delete": "automatic: dual-write on again, this run's retired rows revived, rows written since "
    "copied back",
    "delete": "automatic: dual-write on again, this run's deleted rows put back, rows written since copied "
    "back",
}
