"""From draft to approval and back: submit, withdraw, send back, cancel."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import Run
from migration_runs.phases import Role
from migration_runs.runbook import registry
from migration_runs.runbook.plan import Plan
from migration_runs.services import gates, notify, people, plans, sign_offs, situation
from migration_runs.services.moves import move_run
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.services.window import WindowRule
from migration_runs.states import RunState

CANCELLABLE = frozenset({RunState.DRAFT, RunState.AWAITING_APPROVAL, RunState.APPROVED})


def may_submit(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed for all but the author, IllegalMove for what is no draft."""
    plans.require_author(at, actor, "Submitting it")
    actor.require(plans.AUTHORS, "Submitting a run")
    if at.run.state != RunState.DRAFT:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: only a draft is submitted.", rule="state"
        )


@verb("submit")
def submit_run(run_id: int, *, person: User, how: str) -> Run:
    """Freeze the plan, as the runbook is on disk now, and ask for the approvals.

    Raises RunbookInvalid, NotAllowed, IllegalMove, or Refused when another run works on the same tables or
    when the sweeper is too slow for the plan's checks.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_submit(at, actor)
    plan = _frozen_again(at)
    plans.replace_plan(at, plan, actor=actor)
    require_sweeper_in_time(plan)
    plans.require_free_tables(at.run, plan)
    at.run.submitted_at = timezone.now()
    move_run(at.run, "submit", actor=actor, plan=plan.digest)
    notify.sign_off_wanted(at, gates.PLAN, gates.missing(at, gates.PLAN), actor=actor)
    return at.run


def _frozen_again(at: Situation) -> Plan:
    """The plan from the runbook as it is now; as it was frozen, where the runbook is no longer there."""
    if at.run.slug not in {entry.slug for entry in registry.available()}:
        return at.plan
    return plans.load_plan(
        at.run.slug,
        target=at.run.target,
        data_decision=cast(plans.DataDecision, at.run.data_decision),
        parameters=at.plan.parameters,
        clock_speed=at.plan.clock_speed,
        interval_minutes=plans.interval_of(at.plan),
    )


def require_sweeper_in_time(plan: Plan) -> None:
    """Raises Refused when checks would come faster than the sweeper looks: every one would be missed."""
    interval = WindowRule.of(plan).interval.total_seconds()
    if interval < settings.SWEEP_SECONDS:
        raise Refused(
            f"The plan has checks every {interval:g} s, but the sweeper looks every "
            f"{settings.SWEEP_SECONDS:g} s: they would be "
            f"missed. Set SWEEP_SECONDS to {interval:g} or less, or use a slower clock.",
            rule="sweeper",
        )


def may_withdraw(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed for all but the author, IllegalMove unless approvals are being collected."""
    plans.require_author(at, actor, "Withdrawing it")
    if at.run.state != RunState.AWAITING_APPROVAL:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: only a run that waits for approval is withdrawn.",
            rule="state",
        )


@verb("withdraw")
def withdraw_run(run_id: int, *, person: User, how: str, comment: str = "") -> Run:
    """Take a run back from approval; signatures that were given become void.

    Raises NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_withdraw(at, actor)
    gates.void_gate(at, gates.PLAN, reason="the author withdrew the plan", actor=actor)
    move_run(at.run, "send_back", actor=actor, comment=comment)
    return at.run


def send_back_run(run_id: int, *, comment: str, person: User, how: str) -> Run:
    """Refuse the plan with a comment.

    The run is its author's draft again. As refusing to sign; raises what that raises.
    """
    digest = situation.look(run_id).run.plan_id
    sign_offs.sign(
        run_id, gate=gates.PLAN, digest=digest, approve=False, comment=comment, person=person, how=how
    )
    return Run.objects.get(pk=run_id)


def may_cancel(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed for all but the author, approvers and dbas; IllegalMove once the run has started."""
    if actor.user is None or actor.user.pk != at.run.author_id or not actor.roles:
        actor.require((Role.APPROVER, Role.DBA), f"Cancelling {at.run.name}")
    if at.run.state not in CANCELLABLE:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: "
            + (
                "it is over."
                if at.run.finished_at
                else "once it has started, cancelling it is rolling it back."
            ),
            rule="state",
        )


@verb("cancel")
def cancel_run(run_id: int, *, person: User, how: str, comment: str = "") -> Run:
    """Give up a run that has changed nothing. Raises NotAllowed or IllegalMove."""
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_cancel(at, actor)
    at.run.finished_at = timezone.now()
    move_run(at.run, "cancel", actor=actor, comment=comment)
    return at.run
