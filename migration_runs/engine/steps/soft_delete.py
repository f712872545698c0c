"""``soft_delete``: migrated source rows are withdrawn by the move's active-row rule."""

from __future__ import annotations

from migration_runs.engine.steps.retiring import RetiringKind, refuse
from migration_runs.runbook.steps import SoftDeleteStep


class SoftDeleteKind(RetiringKind[SoftDeleteStep]):
    """For a source whose rows know whether they live."""

    kind = "soft_delete"
    verb = "soft-delete"

    def _check(self) -> None:
        if self.plan.runbook.move.active is None:
            raise refuse("the move has no active-row rule: there is no way to soft-delete; use a delete step")
