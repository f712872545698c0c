"""A worker's turn on the outbox: take a message, send it, record what came of it, until nothing is due."""

from __future__ import annotations

import logging

from migration_runs import delivery, work
from migration_runs.exceptions import NotSent
from migration_runs.services import outbox

logger = logging.getLogger(__name__)


def send_due() -> int:
    """Send every message that is due; how many left. Of a channel that is down, one is tried, not all."""
    worker = work.worker_name()
    outbox.settle_lost(worker=worker)
    down: set[str] = set()
    sent = 0
    while (row := outbox.claim_next(without=down)) is not None:
        try:
            delivery.deliver(row)
        except NotSent as error:
            logger.warning("message %s was not sent: %s", row.pk, error)
            outbox.record_failure(
                row.pk, attempt=row.attempts, why=str(error), permanent=error.permanent, worker=worker
            )
            if error.down:
                down.add(row.channel)
        else:
            outbox.record_sent(row.pk, attempt=row.attempts, worker=worker)
            sent += 1
    return sent
