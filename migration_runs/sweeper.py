"""What should be happening and is not: read from rows, sent as hints.

The sweeper keeps nothing in memory and decides nothing about a run. It may run on any number of workers at
once, twice in a second or not for an hour: each hint leads to a claim, and only one claim succeeds. All times
are the control database's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from migration_runs.models import PhaseRun, Run, StepRun, VerificationReport
from migration_runs.services import checks as check_services
from migration_runs.services import clock
from migration_runs.states import PHASE_WORKING, PhaseState, RunState, StepState

MIN_VERIFICATION_S = 3.0
"""Real seconds between two live verifications at least, however compressed the target's clock is."""

VERIFICATION_SHARE = 4
"""A live verification takes at most one part in so many of the time, on one target."""

LIVE = (RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.ROLLING_BACK)

COPIED = 4
"""The phase after which source and target are promised to be equal."""

CLEANUP = 9


@dataclass(frozen=True)
class Hint:
    """A task to send, with the id that it carries."""

    task: str
    object_id: int


def hints() -> Iterator[Hint]:
    """Everything that a worker should be told of now."""
    yield from phases_to_work_on()
    yield from checks_due()
    yield from runs_to_drain()
    yield from runs_to_verify()
    yield from ledgers_to_give_up()


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
    """Runs that promise equal tables now, and whose last comparison is older than the plan's clock allows."""
    copied = PhaseRun.objects.filter(run=OuterRef("pk"), number=COPIED, state=PhaseState.DONE)
    retired = PhaseRun.objects.filter(run=OuterRef("pk"), number=CLEANUP).exclude(
        state__in=[PhaseState.PENDING, PhaseState.READY]
    )
    runs = Run.objects.filter(
        Exists(copied), ~Exists(retired), state__in=[RunState.IN_PROGRESS, RunState.ON_HOLD]
    )
    now = clock.database_now()
    for pk, speed in runs.values_list("pk", "plan__body__clock_speed"):
        last = VerificationReport.objects.filter(run_id=pk).order_by("-id").values("at", "seconds").first()
        if last is None or now - last["at"] >= verification_period(float(speed), float(last["seconds"])):
            yield Hint("verify_when_due", pk)


def ledgers_to_give_up() -> Iterator[Hint]:
    """Sealed runs of which nobody has said that their ledger is gone from the target."""
    runs = Run.objects.filter(state=RunState.SEALED, ledger_gone_at=None)
    for pk in runs.values_list("pk", flat=True):
        yield Hint("give_up_ledger", pk)


def verification_due(run_id: int) -> bool:
    """Whether a verification of the run is due now: asked again by its worker, behind what it waited for."""
    return Hint("verify_when_due", run_id) in runs_to_verify()


def verification_period(clock_speed: float, took_s: float) -> timedelta:
    """Real time between two verifications: the setting's market time, but never back to back."""
    wanted = settings.PHASEGATE_VERIFICATION_SECONDS / clock_speed
    return timedelta(seconds=max(wanted, MIN_VERIFICATION_S, took_s * VERIFICATION_SHARE))
