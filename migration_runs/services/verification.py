"""The live verification: asked for by people or by the sweeper, reported by its own worker."""

from __future__ import annotations

import dataclasses

from django.contrib.auth.models import User
from django.db import transaction

from migration_runs import dispatch
from migration_runs.engine.outcome import Verification
from migration_runs.exceptions import IllegalMove
from migration_runs.models import VerificationReport
from migration_runs.phases import Role
from migration_runs.services import audit, checks, gates, holding, people, situation
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState, RunState

WHEN = frozenset({RunState.IN_PROGRESS, RunState.ON_HOLD})
COPIED = 4
"""From this phase on there are two sides to compare."""


def may_request(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed; IllegalMove where there are not yet, or no longer, two sides to compare."""
    actor.require([role for role in Role if role is not Role.AUDITOR], "Asking for a verification")
    copied = at.phase(COPIED).state in {PhaseState.AWAITING_SIGN_OFF, PhaseState.DONE}
    retired = at.phase(9).state not in {PhaseState.PENDING, PhaseState.READY}
    if at.run.state not in WHEN or not copied or retired:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}; source and target are compared between the end "
            "of phase 4 "
            "and the start of phase 9.",
            rule="state",
        )


@verb("verify")
def request(run_id: int, *, person: User, how: str) -> None:
    """Have source and target compared soon, by the verification's own worker.

    Raises NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_request(at, actor)
    audit.append(actor=actor, run=at.run, action="verification.request", object=at.run.name)
    dispatch.after_commit("verify_run", at.run.pk)


def record(run_id: int, verification: Verification, *, worker: str = "worker") -> VerificationReport:
    """Keep a report. One that is not clean holds a run in phase 8, breaks its window, and locks phase 9."""
    actor = people.worker_actor(worker)
    with transaction.atomic():
        at = situation.lock(run_id)
        figures = dataclasses.asdict(verification) | {"columns": list(verification.columns)}
        figures["examples"] = [dataclasses.asdict(example) for example in verification.examples]
        columns = {field.name for field in VerificationReport._meta.concrete_fields}
        kept = {name: value for name, value in figures.items() if name in columns}
        report = VerificationReport.objects.create(run=at.run, clean=verification.clean, **kept)
        counts = {
            name: figures[name]
            for name in ("source_rows", "target_rows", "missing", "extra", "different", "pending")
        }
        if not verification.clean:
            audit.append(
                actor=actor, run=at.run, action="verification.fail", object=at.run.name, detail=counts
            )
            _hold_monitoring(at, verification, actor=actor)
    return report


def _hold_monitoring(at: Situation, found: Verification, *, actor: Actor) -> None:
    state = at.phase(checks.MONITORING).state
    if state not in checks.WATCHED | {PhaseState.AWAITING_SIGN_OFF, PhaseState.DONE}:
        return
    if at.phase(9).state not in {PhaseState.PENDING, PhaseState.READY}:
        return
    reason = (
        f"verification found {found.missing} missing, {found.extra} extra, {found.different} different rows"
    )
    if checks.is_watched(at):
        checks.end_window(at, reason=reason, actor=actor)
    holding.hold(at, kind=holding.HoldKind.CHECK, reason=reason, actor=actor)
