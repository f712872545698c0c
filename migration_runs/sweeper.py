"""What should be happening and is not: read from rows, sent as hints.

The sweeper keeps nothing in memory and decides nothing about a run. It may run on any number of workers at
once, twice in a second or not for an hour: each hint leads to a claim, and only one claim succeeds. All times
are the control database's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from migration_runs.models import PhaseRun, Run, StepRun
from migration_runs.services import checks as check_services
from migration_runs.services import outbox, trail_reading, verification_schedule
from migration_runs.states import PHASE_WORKING, PhaseState, RunState, StepState

LIVE = (RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.ROLLING_BACK)

COPIED = 4
"""The phase after which source and target are promised to be equal."""

CLEANUP = 9


@dataclass(frozen=True)
class Hint:
    """A task to send, with the id that it carries, if any."""

    task: str
    object_id: int | None = None


def hints() -> Iterator[Hint]:
    """Everything that a worker should be told of now."""
    yield from phases_to_work_on()
    yield from checks_due()
    yield from runs_to_drain()
    yield from runs_to_verify()
    yield from runs_to_look_at()
    yield from ledgers_to_give_up()
    yield from messages_to_send()
    yield from trail_to_read()


def phases_to_work_on() -> Iterator[Hint]:
    """Phases that ask for a worker while none holds their lease, waiting ones when it is time to look again.

    One that waits for a person has no such time: the service that takes the answer ends the wait.
    """
    nobody = Q(lease_worker="") | Q(lease_until=None) | Q(lease_until__lt=Now())
    time_to_look = Q(waiting__isnull=True) | Q(look_again_at__lte=Now()) | Q(state=PhaseState.PAUSING)
    rows = PhaseRun.objects.filter(nobody, time_to_look, state__in=PHASE_WORKING).order_by("run_id", "number")
    for pk, state in rows.values_list("pk", "state"):
        yield Hint("undo_phase" if state == PhaseState.UNDOING else "run_phase", pk)


def checks_due() -> Iterator[Hint]:
    """Runs with checks to be begun. One hint a run, not one a check: a backlog must not be sent each time."""
    for pk in check_services.runs_with_due_checks():
        yield Hint("run_due_checks", pk)


def runs_to_drain() -> Iterator[Hint]:
    """Runs whose sync triggers may be on: somewhere between turning them on and taking them off."""
    on = StepRun.objects.filter(phase__run=OuterRef("pk"), kind="dual_write").exclude(
        state__in=[StepState.PENDING, StepState.UNDONE]
    )
    off = StepRun.objects.filter(
        phase__run=OuterRef("pk"), kind__in=["soft_delete", "delete"], state=StepState.DONE
    )
    for pk in Run.objects.filter(Exists(on), ~Exists(off), state__in=LIVE).values_list("pk", flat=True):
        yield Hint("drain_run", pk)


def runs_to_verify() -> Iterator[Hint]:
    """Runs whose last full pass is older than the plan's clock allows, or was left by its worker."""
    for pk, speed in _equal_runs():
        if verification_schedule.pass_due(pk, speed):
            yield Hint("verify_when_due", pk)


def runs_to_look_at() -> Iterator[Hint]:
    """Runs of which what was touched may be looked at again."""
    for pk, _ in _equal_runs():
        if verification_schedule.look_due(pk):
            yield Hint("look_at_touched", pk)


def _equal_runs() -> Iterator[tuple[int, float]]:
    """Runs that promise equal tables now, with the speed of their clocks."""
    copied = PhaseRun.objects.filter(run=OuterRef("pk"), number=COPIED, state=PhaseState.DONE)
    retired = PhaseRun.objects.filter(run=OuterRef("pk"), number=CLEANUP).exclude(
        state__in=[PhaseState.PENDING, PhaseState.READY]
    )
    runs = Run.objects.filter(
        Exists(copied), ~Exists(retired), state__in=[RunState.IN_PROGRESS, RunState.ON_HOLD]
    )
    for pk, speed in runs.values_list("pk", "plan__body__clock_speed"):
        yield pk, float(speed)


def ledgers_to_give_up() -> Iterator[Hint]:
    """Sealed runs of which nobody has said that their ledger is gone from the target."""
    runs = Run.objects.filter(state=RunState.SEALED, ledger_gone_at=None)
    for pk in runs.values_list("pk", flat=True):
        yield Hint("give_up_ledger", pk)


def messages_to_send() -> Iterator[Hint]:
    """One hint, however many messages wait: whoever takes it sends all of them."""
    if outbox.something_due():
        yield Hint("send_notifications")


def trail_to_read() -> Iterator[Hint]:
    """The audit trail as a whole, when its last reading is too long ago."""
    if trail_reading.due():
        yield Hint("read_trail")


def verification_due(run_id: int) -> bool:
    """Whether a full pass of the run is due now: asked again by its worker, behind what it waited for."""
    return Hint("verify_when_due", run_id) in runs_to_verify()


def look_due(run_id: int) -> bool:
    """The same for a look at what was touched."""
    return Hint("look_at_touched", run_id) in runs_to_look_at()
