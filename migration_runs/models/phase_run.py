"""The phases of a run."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django_fsm import transition

from migration_runs import phases
from migration_runs.models import guards
from migration_runs.models.machine import ProtectedState, moves, state_field
from migration_runs.models.run import Run
from migration_runs.states import PHASE_TRANSITIONS, PhaseState


def _move(verb: str) -> dict[str, Any]:
    return moves(PHASE_TRANSITIONS, verb)


class PhaseRun(ProtectedState):
    """One of the nine phases of one run.

    ``token``, ``lease_until`` and ``lease_worker`` are the lease of the worker that executes it; an
    empty ``lease_worker`` means that nobody does, a lease in the past that its worker was lost.
    ``attempt`` counts from 1: each start, retry, resume, undo, and each take-over from a lost worker.
    ``waiting`` is ``engine.outcome.Waiting`` as JSON while the phase waits without a worker;
    ``look_again_at`` is when a worker should look again (none: when a person acts). ``interrupt``
    asks to cancel the statement that runs (``pause --now``). ``schema_digest`` is the target's fingerprint at
    the end of the phase.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="phases")
    number = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=41)
    state = state_field(PhaseState, default=PhaseState.PENDING)
    planned_start = models.DateTimeField()
    planned_minutes = models.FloatField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    undo_started_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    token = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_worker = models.CharField(max_length=200, blank=True, default="")
    attempt = models.PositiveIntegerField(default=0)
    waiting = models.JSONField(null=True, blank=True)
    look_again_at = models.DateTimeField(null=True, blank=True)
    interrupt = models.BooleanField(default=False)
    error = models.TextField(blank=True, default="")
    kept = models.TextField(blank=True, default="")
    next_step = models.TextField(blank=True, default="")
    schema_digest = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering: ClassVar = ["run_id", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number"], name="one_row_per_phase"),
            models.CheckConstraint(
                condition=models.Q(number__gte=1, number__lte=9), name="phase_number_1_to_9"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state"], name="phase_run_state")]
        triggers: ClassVar = [
            guards.state_guard(PHASE_TRANSITIONS, initial=PhaseState.PENDING),
            guards.fixed_columns("id", "run_id", "number", "key"),
            *guards.no_delete(),
        ]

    def __str__(self) -> str:
        return f"phase {self.number} of run {self.run_id}"

    @property
    def phase(self) -> phases.Phase:
        """The fixed phase that this is."""
        return phases.by_number(self.number)

    @property
    def phase_state(self) -> PhaseState:
        """The state as the enum."""
        return PhaseState(self.state)

    @transition(field=state, **_move("make_ready"))
    def make_ready(self) -> None:
        """The phase before it is done, or the run was approved."""

    @transition(field=state, **_move("start"))
    def start(self) -> None:
        """Its owner starts it."""

    @transition(field=state, **_move("finish"))
    def finish(self) -> None:
        """Every step is done."""

    @transition(field=state, **_move("sign"))
    def sign(self) -> None:
        """The last required signature was given."""

    @transition(field=state, **_move("fail"))
    def fail(self) -> None:
        """A step failed or a signature was refused."""

    @transition(field=state, **_move("retry"))
    def retry(self) -> None:
        """A person tries again."""

    @transition(field=state, **_move("pause"))
    def pause(self) -> None:
        """A pause or a hold was asked for."""

    @transition(field=state, **_move("reach_pause"))
    def reach_pause(self) -> None:
        """The worker stopped at a safe place."""

    @transition(field=state, **_move("resume"))
    def resume(self) -> None:
        """A person resumes it."""

    @transition(field=state, **_move("undo"))
    def undo(self) -> None:
        """The run is rolled back, or a failed undo is tried again."""

    @transition(field=state, **_move("finish_undo"))
    def finish_undo(self) -> None:
        """Everything it applied was undone."""

    @transition(field=state, **_move("fail_undo"))
    def fail_undo(self) -> None:
        """An undo step failed."""
