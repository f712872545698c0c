"""What a rollback would do now: asked of the target's ledger, changing nothing."""

from __future__ import annotations

from migration_runs import work
from migration_runs.engine import rollback
from migration_runs.engine.outcome import RollbackPreview
from migration_runs.models import Run


def preview(run_id: int) -> RollbackPreview:
    """The preview of a run's rollback.

    Raises Run.DoesNotExist, or EngineError when the target cannot be asked.
    """
    run = Run.objects.select_related("plan").get(pk=run_id)
    return rollback.preview(work.plan_of(run), run_uid=run.uid, target_url=work.target_url(run.target))
