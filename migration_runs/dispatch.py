"""Telling workers that there is something to do. A message is a hint with an id, never the truth.

The truth is the row that was committed before. A hint that is lost is sent again by the sweeper, one
that is doubled finds the work taken; so a broker that is down delays work and fails no click.
"""

from __future__ import annotations

import logging
from functools import partial

import redis.exceptions
from celery import current_app
from celery.exceptions import CeleryError
from django.db import transaction
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)

TASK_MODULE = "migration_runs.tasks"

QUEUES: dict[str, str] = {
    "run_phase": "runs",
    "undo_phase": "runs",
    "work_chunks": "chunks",
    "run_due_checks": "checks",
    "drain_run": "checks",
    "give_up_ledger": "checks",
    "sweep": "checks",
    "verify_run": "verification",
    "verify_when_due": "verification",
    "look_at_touched": "verification",
    "send_notifications": "notifications",
    "read_trail": "verification",
}
"""The queue of every task. Phases may take hours, so nothing regular may stand behind them; a mail server may
take minutes to answer, so no check may stand behind a message."""

# What a broker that is away, restarting, full or refusing the log-in raises. Anything else is a mistake here.
BROKER_ERRORS = (KombuError, CeleryError, redis.exceptions.RedisError, OSError)


def after_commit(
    task: str, object_id: int | None = None, queue: str | None = None, *, token: int | None = None
) -> None:
    """Send ``task`` once the transaction around this call is committed; at once where there is none.

    ``task`` is a name out of ``QUEUES``; ``queue`` overrides its queue. Nothing is sent if the transaction
    is rolled back. Raises KeyError for an unknown task; never raises for a broker that is away.
    """
    chosen = queue or QUEUES[task]
    transaction.on_commit(partial(send, task, object_id, queue=chosen, token=token))


def send(
    task: str, object_id: int | None = None, *, queue: str | None = None, token: int | None = None
) -> bool:
    """Send ``task`` now; whether the broker took it. Only for what has been committed already.

    A broker that is away is logged and not raised: the sweeper sends again what the rows say is due.
    """
    args = [value for value in (object_id, token) if value is not None]
    try:
        current_app.send_task(
            f"{TASK_MODULE}.{task}", args=args, queue=queue or QUEUES[task], ignore_result=True
        )
    except BROKER_ERRORS as error:
        logger.warning(
            "could not send %s %s (%s); the sweeper sends it again", task, object_id, type(error).__name__
        )
        return False
    return True
