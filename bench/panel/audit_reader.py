"""``python -m bench.panel.audit_reader``: writes a long trail without ceremony, and verifies it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench.panel import serving

serving.set_up()

from bench import world as worlds  # noqa: E402 - only once the models are loaded
from migration_runs.models import AuditEvent  # noqa: E402
from migration_runs.runbook.plan import canonical_json  # noqa: E402
from migration_runs.services import audit  # noqa: E402

START = datetime(2026, 1, 5, tzinfo=UTC)
ACTOR = "worker-1@host"


def fill(dsn: str, events: int, copy: str) -> str:
    """Write a chain of so many events past the triggers, and what each hash is over to the file ``copy``.

    Returns who every event says did it.
    """
    with (
        psycopg.connect(dsn) as conn,
        Path(copy).open("w", encoding="utf-8") as file,
        conn.cursor() as cursor,
    ):
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE public.migration_runs_auditevent")
        with cursor.copy(worlds.statement("audit_fill").encode()) as rows:
            for event in _chain(events):
                file.write(canonical_json(audit.content_of(event)))
                rows.write_row(
                    (
                        event.seq, event.at, event.actor, event.actor_how, event.action, event.object,
                        canonical_json(event.detail), event.prev_hash, event.hash,
                    )
                )  # fmt: skip
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE) public.migration_runs_auditevent")
    return ACTOR


def _chain(events: int) -> Iterator[AuditEvent]:
    previous = ""
    for seq in range(1, events + 1):
        event = AuditEvent(
            seq=seq,
            at=START + timedelta(microseconds=seq * 1_234_567),
            actor=ACTOR,
            actor_how="worker",
            action="phase.finish",
            object=f"phase {seq % 9 + 1} of dxy_1m-{seq // 9}",
            detail=_detail(seq),
            prev_hash=previous,
        )
        event.hash = audit.hash_of(event)
        previous = event.hash
        yield event


def _detail(seq: int) -> dict[str, Any]:
    """As the services write it; every twentieth has a list in it."""
    detail: dict[str, Any] = {
        "from": "running", "to": "awaiting_sign_off", "attempt": seq % 3, "worker": "worker-1@host",
    }  # fmt: skip
    return {**detail, "steps": ["copy", "settle"]} if seq % 20 == 0 else detail


def verify() -> tuple[float, int, bool]:
    """Seconds, how many events were verified, and whether all are as written."""
    started = time.perf_counter()
    found = audit.verify()
    return time.perf_counter() - started, found.events, found.intact


def rewrite(dsn: str, seq: int, actor: str) -> bool:
    """Change who an event says did it, behind the triggers' back."""
    with psycopg.connect(dsn) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE public.migration_runs_auditevent SET actor = %s WHERE seq = %s", [actor, seq])
    return True


if __name__ == "__main__":
    serving.serve({"fill": fill, "verify": verify, "rewrite": rewrite})
