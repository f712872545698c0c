"""All step kinds by name. Adding a kind touches its own file and this list."""

from __future__ import annotations

from typing import Any

from migration_runs.engine.steps.assert_ import AssertKind
from migration_runs.engine.steps.backup import BackupKind
from migration_runs.engine.steps.base import StepKind
from migration_runs.engine.steps.check import CheckKind
from migration_runs.engine.steps.confirm import ConfirmKind
from migration_runs.engine.steps.copy import CopyKind
from migration_runs.engine.steps.delete import DeleteKind
from migration_runs.engine.steps.dual_write import DualWriteKind
from migration_runs.engine.steps.monitor import MonitorKind
from migration_runs.engine.steps.observe import ObserveKind
from migration_runs.engine.steps.rehearse_sql import RehearseSqlKind
from migration_runs.engine.steps.snapshot import SnapshotKind
from migration_runs.engine.steps.soft_delete import SoftDeleteKind
from migration_runs.engine.steps.sql import SqlKind
from migration_runs.engine.steps.verify import VerifyKind
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import Step

KINDS: dict[str, type[StepKind[Any]]] = {
    found.kind: found
    for found in (
        AssertKind,
        BackupKind,
        CheckKind,
        ConfirmKind,
        CopyKind,
        DeleteKind,
        DualWriteKind,
        MonitorKind,
        ObserveKind,
        RehearseSqlKind,
        SnapshotKind,
        SoftDeleteKind,
        SqlKind,
        VerifyKind,
    )
}


def kind_of(plan: Plan, phase: int, step: Step) -> StepKind[Any]:
    """The kind that carries out ``step`` of phase ``phase``. KeyError for an unlisted kind."""
    return KINDS[step.kind](plan, phase, step)
