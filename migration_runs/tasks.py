"""What workers are sent. Each task carries ids only: claim, engine, record, and nothing else.

A message may be lost, doubled or late. What has to be done is in the rows that the id names.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from migration_runs import beside, dispatch, execution, sending, sweeper
from migration_runs.services import checks as check_services
from migration_runs.services import fleet, trail_reading, verification

logger = logging.getLogger(__name__)


@shared_task
def run_phase(phase_run_id: int) -> None:
    """Work on a phase until it ends, waits or is paused."""
    execution.execute(phase_run_id)


@shared_task
def undo_phase(phase_run_id: int) -> None:
    """Undo a phase. The phase's state decides what is done, not which of the two messages came."""
    execution.execute(phase_run_id)


@shared_task
def work_chunks(phase_run_id: int, token: int) -> None:
    """Help with the chunks of a phase under the token that it had when help was asked for."""
    beside.work_chunks(phase_run_id, token)


@shared_task
def run_due_checks(run_id: int) -> None:
    """Measure a run's due checks, one after the other, until none is left to begin."""
    beside.run_due_checks(run_id)


@shared_task
def drain_run(run_id: int) -> None:
    """Apply what the sync triggers had to leave undone."""
    beside.drain_run(run_id)


@shared_task
def verify_run(run_id: int) -> None:
    """Compare source and target of a run, since a person asked for it."""
    beside.verify_run(run_id)


@shared_task
def verify_when_due(run_id: int) -> None:
    """Compare source and target of a run, unless that was done while this message waited."""
    if sweeper.verification_due(run_id):
        beside.verify_run(run_id)


@shared_task
def look_at_touched(run_id: int) -> None:
    """Compare what was touched, unless that was done while this message waited."""
    if sweeper.look_due(run_id):
        beside.look_at_touched(run_id)


@shared_task
def give_up_ledger(run_id: int) -> None:
    """Take a sealed run's ledger off the target."""
    beside.give_up_ledger(run_id)


@shared_task
def send_notifications() -> None:
    """Send every message to people that is due."""
    sending.send_due()


@shared_task
def read_trail() -> None:
    """Read the whole audit trail and keep what was found, unless another worker is at it."""
    trail_reading.read_when_due()


@shared_task
def sweep() -> None:
    """Mark what was missed, and send hints for everything that should be happening and is not."""
    fleet.beat()
    check_services.mark_missed()
    verification.mark_overdue()
    for hint in sweeper.hints():
        dispatch.send(hint.task, hint.object_id)


@worker_ready.connect
def sweep_at_start(**_: Any) -> None:
    """A worker that starts looks at once: the one before it may have been killed."""
    dispatch.send("sweep")
