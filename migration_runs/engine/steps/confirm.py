"""``confirm``: a person says, with evidence, that something was done outside the database."""

from __future__ import annotations

import re
import uuid
from typing import Any

import psycopg

from migration_runs.engine.job import Confirmation
from migration_runs.engine.outcome import StepPreview, StepResult, Waiting
from migration_runs.engine.steps.base import StepContext, StepKind, UndoPreview
from migration_runs.exceptions import StepFailed
from migration_runs.runbook.steps import ConfirmStep


class ConfirmKind(StepKind[ConfirmStep]):
    """Waits for a person's confirmation. With ``undo_text``, undoing waits for another one.

    Undoing asks even where the first was never given: something may have been done and not confirmed.
    """

    kind = "confirm"

    def preview(self, conn: psycopg.Connection[Any] | None) -> StepPreview:
        """What the person is asked."""
        step = self.step
        return StepPreview(
            summary=f"{step.role} confirms: {step.text}",
            locks="none",
            seconds=step.estimate_s,
            undo=f"{step.role} confirms: {step.undo_text}" if step.undo_text else "none needed",
        )

    def apply(self, ctx: StepContext) -> StepResult:
        """The confirmation, or a wait for it. Raises StepFailed for evidence of the wrong form."""
        step = self.step
        given = ctx.reporter.confirmation(step.key)
        if given is None:
            return _wait(step.key, f"{step.role}: {step.text} (evidence: {step.evidence_hint})")
        if not re.search(step.evidence_pattern, given.evidence):
            raise StepFailed(
                f"the evidence {given.evidence!r} is not what was asked for: {step.evidence_hint}",
                next_step="confirm again with evidence of that form",
            )
        return _confirmed(given)

    def undo(self, ctx: StepContext) -> StepResult:
        """The confirmation of ``undo_text``, or a wait for it; nothing where the step has no such text."""
        step = self.step
        if step.undo_text is None:
            return StepResult(summary=step.undo_none or "nothing to undo", skipped=True)
        given = ctx.reporter.confirmation(step.key, undo=True)
        if given is None:
            return _wait(step.key, f"{step.role}: {step.undo_text}")
        return _confirmed(given)

    def preview_undo(
        self, conn: psycopg.Connection[Any], run_uid: uuid.UUID, details: dict[str, Any]
    ) -> UndoPreview | None:
        """What a person will be asked."""
        text = self.step.undo_text
        if text is None:
            return None
        asked = f"{self.step.role}: {text}"
        return UndoPreview(action=f"waits for {asked}", asks=(asked,), seconds=self.step.estimate_s)


def _wait(key: str, text: str) -> StepResult:
    return StepResult(summary=text, waiting=Waiting(step=key, kind="confirmation", text=text))


def _confirmed(given: Confirmation) -> StepResult:
    return StepResult(
        summary=f"{given.person} confirmed: {given.evidence}",
        details={"person": given.person, "evidence": given.evidence, "at": given.at.isoformat()},
    )
