"""Sealing: the time in which a completed run could be rolled back ends, and its ledger leaves the target."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from migration_runs import dispatch
from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import Run
from migration_runs.phases import Role
from migration_runs.services import audit, gates, people, situation
from migration_runs.services.moves import move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import RunState


def may_seal(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed, IllegalMove unless completed, Refused before the retention is over."""
    actor.require((Role.APPROVER,), f"Sealing {at.run.name}")
    if at.run.state != RunState.COMPLETED:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: only a completed run is sealed.", rule="state"
        )
    if at.run.seal_after is None or timezone.now() < at.run.seal_after:
        when = (
            f"{at.run.seal_after:%Y-%m-%d %H:%M:%S} UTC" if at.run.seal_after else "the end of its retention"
        )
        raise Refused(
            f"{at.run.name} may be sealed from {when} on; until it is sealed it can be rolled back.",
            rule="retention",
        )


@verb("seal")
def seal_run(run_id: int, *, person: User, how: str) -> Run:
    """End the time for rollback; a worker then takes the run's ledger off the target.

    Raises NotAllowed, IllegalMove or Refused.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_seal(at, actor)
    move_run(at.run, "seal", actor=actor)
    dispatch.after_commit("give_up_ledger", at.run.pk)
    return at.run


def record_ledger_gone(run_id: int, *, worker: str) -> None:
    """Keep when a sealed run's ledger was taken off the target. The first time counts: messages come twice.

    Raises IllegalMove for a run that is not sealed: without its ledger it could not be rolled back.
    """
    actor = people.worker_actor(worker)
    with transaction.atomic():
        run = situation.lock(run_id).run
        if run.state != RunState.SEALED:
            raise IllegalMove(
                f"{run.name} is {gates.words(run.state)}: only a sealed run does without its ledger.",
                rule="state",
            )
        if run.ledger_gone_at is not None:
            return
        run.ledger_gone_at = timezone.now()
        run.save()
        audit.append(actor=actor, run=run, action="run.ledger_gone", object=run.name)
