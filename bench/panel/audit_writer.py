"""``python -m bench.panel.audit_writer``: one of several writers of events, each a transaction."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from bench.panel import serving

serving.set_up()

from django.db import connection, transaction  # noqa: E402 - only once the models are loaded

from bench import world as worlds  # noqa: E402
from migration_runs.services import audit, people  # noqa: E402

ACTOR = people.worker_actor("bench")
DETAIL = {"from": "running", "to": "awaiting_sign_off", "attempt": 1, "why": "every step is done"}


def chained(events: int) -> float:
    """Seconds for so many events of the trail."""
    started = time.perf_counter()
    for number in range(events):
        with transaction.atomic():
            audit.append(actor=ACTOR, action="bench.event", object=f"phase {number}", detail=DETAIL)
    return time.perf_counter() - started


def bare(events: int) -> float:
    """Seconds for so many rows of the same columns in a table without chain and triggers."""
    text = worlds.statement("audit_bare_insert")
    started = time.perf_counter()
    with connection.cursor() as cursor:
        for number in range(events):
            cursor.execute(text, {"object": f"phase {number}", "at": datetime.now(UTC), **BARE})
    return time.perf_counter() - started


BARE: dict[str, Any] = {
    "actor": ACTOR.name, "how": ACTOR.how, "action": "bench.event",
    "detail": '{"from": "running", "to": "awaiting_sign_off", "attempt": 1, "why": "every step is done"}',
    "hash": "0" * 64,
}  # fmt: skip


if __name__ == "__main__":
    connection.ensure_connection()
    serving.serve({"chained": chained, "bare": bare})
