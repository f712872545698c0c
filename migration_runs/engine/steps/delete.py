"""``delete``: migrated source rows are deleted, their images kept in the ledger."""

from __future__ import annotations

from migration_runs.engine.steps.retiring import RetiringKind, refuse
from migration_runs.runbook.steps import DeleteStep


class DeleteKind(RetiringKind[DeleteStep]):
    """For a source without soft delete."""

    kind = "delete"
    verb = "delete"

    def _check(self) -> None:
        if self.plan.runbook.move.active is not None:
            raise refuse(
                "the move's rows can be withdrawn and come back as they were: use a soft_delete step"
            )
