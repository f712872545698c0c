"""Leases: who executes a phase now, by the control database's clock, and the token that fences off others."""

from __future__ import annotations

from django.db import connection, transaction

from migration_runs import control_sql
from migration_runs.models import PhaseRun, Run
from migration_runs.services import audit, people, rules
from migration_runs.states import PHASE_WORKING

STATES = sorted(state.value for state in PHASE_WORKING)


def claim(phase_run_id: int, *, worker: str) -> int | None:
    """Take the lease of a phase that should be worked on; its new token, or None when it is not to be had.

    Tokens rise over the whole run, so that a later phase's token is never below an earlier one's. Taking
    over from a lost worker counts as an attempt and is told in the audit. Raises Run.DoesNotExist.
    """
    with transaction.atomic():
        run = Run.objects.select_for_update(no_key=True, of=("self",)).get(phases=phase_run_id)
        with connection.cursor() as cursor:
            cursor.execute(
                control_sql.read("lease_claim.sql"),
                {
                    "phase": phase_run_id,
                    "states": STATES,
                    "worker": worker,
                    "seconds": rules.lease().total_seconds(),
                },
            )
            row = cursor.fetchone()
        if row is None:
            return None
        token, lost, attempt = row
        if lost:
            phase = PhaseRun.objects.get(pk=phase_run_id)
            audit.append(
                actor=people.worker_actor(worker),
                run=run,
                action="phase.take_over",
                object=f"phase {phase.number} of {run.name}",
                detail={"phase": phase.number, "lost_worker": lost, "attempt": attempt, "token": token},
            )
        return int(token)


def renew(phase_run_id: int, *, token: int) -> bool:
    """Make the lease last from now on again; False when it has gone to another worker or was given back."""
    seconds = rules.lease().total_seconds()
    given = {"phase": phase_run_id, "token": token, "seconds": seconds}
    with connection.cursor() as cursor:
        cursor.execute(control_sql.read("lease_renew.sql"), given)
        return bool(cursor.rowcount)


def release(phase_run_id: int, *, token: int) -> bool:
    """Give the lease back; False when it was not this token's any more."""
    with connection.cursor() as cursor:
        cursor.execute(control_sql.read("lease_release.sql"), {"phase": phase_run_id, "token": token})
        return bool(cursor.rowcount)
