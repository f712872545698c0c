"""The live verification's reports."""

from __future__ import annotations

from migration_runs.models import Run
from migration_runs.selectors.views import VerificationView


def latest_verification(run: Run) -> VerificationView | None:
    """The newest report of a run, or None before the first."""
    row = run.verifications.order_by("-id").first()
    if row is None:
        return None
    return VerificationView(
        at=row.at,
        clean=row.clean,
        source_rows=row.source_rows,
        target_rows=row.target_rows,
        missing=row.missing,
        extra=row.extra,
        different=row.different,
        pending=row.pending,
        seconds=row.seconds,
        examples=row.examples,
    )
