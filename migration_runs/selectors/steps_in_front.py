"""The steps of the phases that are in front, for pages about many runs: two queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.fields.json import KeyTextTransform

from migration_runs.models import Confirmation, PhaseRun, StepRun

OVER = frozenset({"done", "skipped"})
AT_WORK = frozenset({"running", "waiting", "undoing"})


@dataclass(frozen=True)
class StepsInFront:
    """Steps by phase, in their order, and which of them a person has confirmed."""

    by_phase: dict[int, list[StepRun]]
    words: frozenset[tuple[int, str, bool]]

    def of(self, phase: int) -> list[StepRun]:
        """The steps of a phase, by its id."""
        return self.by_phase.get(phase, [])

    def at_work(self, phase: int) -> StepRun | None:
        """The step that is being done, undone or waited for."""
        return next((step for step in self.of(phase) if step.state in AT_WORK), None)

    def done(self, phase: int) -> int:
        """How many steps are done or had nothing to do."""
        return sum(step.state in OVER for step in self.of(phase))

    def summary(self, phase: int) -> str:
        """What the last step that has something to say found."""
        said: list[Any] = [getattr(step, "summary", None) for step in self.of(phase)]
        return str(next((text for text in reversed(said) if text), ""))

    def ended_at(self, phase: int) -> datetime | None:
        """When the last step ended."""
        return max((step.finished_at for step in self.of(phase) if step.finished_at), default=None)

    def since(self, phase: int, key: str) -> datetime | None:
        """When a step was begun."""
        return next((step.started_at for step in self.of(phase) if step.key == key), None)

    def confirmed(self, phase: int, key: str, *, undo: bool) -> bool:
        """Whether a person has given their word for a step."""
        return (phase, key, undo) in self.words


def steps_in_front(phases: Iterable[PhaseRun]) -> StepsInFront:
    """The steps of these phases."""
    ids = [phase.pk for phase in phases]
    rows = StepRun.objects.filter(phase__in=ids).defer("result")
    by_phase: dict[int, list[StepRun]] = defaultdict(list)
    for step in rows.annotate(summary=KeyTextTransform("summary", "result")).order_by("position"):
        by_phase[step.phase_id].append(step)
    words = Confirmation.objects.filter(phase__in=ids).values_list("phase_id", "step_key", "undo")
    return StepsInFront(dict(by_phase), frozenset(words))
