"""Putting a run on hold, and pausing the phase that works: shared by people's verbs and by checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from migration_runs.exceptions import LeaseLost
from migration_runs.models import PhaseRun, Run
from migration_runs.phases import Role
from migration_runs.services import audit, notify, people, situation
from migration_runs.services.moves import move_phase, move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState, RunState

HoldKind = Run.HoldKind

# What breaks a window may not hide behind a person's hold.
RANK = {HoldKind.PERSON: 0, HoldKind.LOAD: 1, HoldKind.ERROR: 2, HoldKind.VOID: 3, HoldKind.CHECK: 4}


def hold(
    at: Situation, *, kind: HoldKind, reason: str, actor: Actor, sign_again: Iterable[Role] = ()
) -> None:
    """Hold the run and ask its working phase to pause. A run that is held already gets the reason added.

    ``sign_again`` are roles whose approval the run lacks from now on. Does nothing in states that cannot be
    held: a run that is being rolled back goes on.
    """
    run = at.run
    if run.state == RunState.ON_HOLD:
        if _add_reason(run, kind=kind, reason=reason, actor=actor):
            notify.held(at, sign_again=sign_again, actor=actor)
    elif run.state == RunState.IN_PROGRESS:
        run.hold_kind = kind
        run.hold_reason = reason
        run.held_by = actor.user
        run.held_at = timezone.now()
        move_run(run, "hold", actor=actor, kind=kind, reason=reason)
        for phase in at.phases.values():
            if phase.state == PhaseState.RUNNING:
                ask_pause(phase, run=run, actor=actor, reason=reason)
        notify.held(at, sign_again=sign_again, actor=actor)


def hold_for_load(phase_run_id: int, *, token: int, reason: str, worker: str) -> None:
    """Hold the run of a phase since the target suffers, as the worker that holds the phase under ``token``
    says.

    Nothing is done twice, nor for a phase that does not run any more. Raises LeaseLost when the phase is
    another worker's.
    """
    with transaction.atomic():
        at = situation.lock(PhaseRun.objects.values_list("run_id", flat=True).get(pk=phase_run_id))
        phase = next(row for row in at.phases.values() if row.pk == phase_run_id)
        if phase.token != token:
            raise LeaseLost(f"phase {phase.number} now belongs to another worker")
        if phase.state == PhaseState.RUNNING:
            hold(at, kind=HoldKind.LOAD, reason=reason, actor=people.worker_actor(worker))


def _add_reason(run: Run, *, kind: HoldKind, reason: str, actor: Actor) -> bool:
    """Whether the reason is graver than those before it."""
    if reason in run.hold_reason:
        return False
    run.hold_reason = f"{run.hold_reason}; {reason}"
    graver = RANK[kind] > RANK[HoldKind(run.hold_kind)]
    if graver:
        run.hold_kind = kind
    run.save(update_fields=["hold_reason", "hold_kind"])
    audit.append(
        actor=actor,
        run=run,
        action="run.hold_reason",
        object=run.name,
        detail={"kind": kind, "reason": reason},
    )
    return graver


def ask_pause(phase: PhaseRun, *, run: Run, actor: Actor, reason: str = "", now: bool = False) -> None:
    """Ask a running phase to pause. One that no worker holds is paused at once."""
    phase.interrupt = now
    told: dict[str, Any] = {"reason": reason} if reason else {}
    move_phase(phase, "pause", run=run, actor=actor, now=now, **told)
    if not phase.lease_worker:
        phase.interrupt = False
        move_phase(phase, "reach_pause", run=run, actor=actor)
