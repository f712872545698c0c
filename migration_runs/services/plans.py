"""Creating a run: a runbook frozen into a plan, people named for the roles, slots for the phases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from migration_runs import phases
from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import PhaseRun, Run, StepRun
from migration_runs.phases import Role
from migration_runs.runbook import freeze, loader, registry
from migration_runs.runbook.plan import Plan
from migration_runs.services import audit, naming, people, plan_store, situation
from migration_runs.services.naming import Assignments
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import RUN_ACTIVE, RunState

Parameters = Mapping[str, str | int | float | bool]
DataDecision = Literal["keep", "delete"]

AUTHORS = (Role.DBA, Role.ENGINEER, Role.APPROVER)
"""Who may write a run. An approver who does cannot approve it."""


@verb("create")
def create_run(
    *,
    runbook_slug: str,
    target: str,
    data_decision: DataDecision,
    author: User,
    how: str,
    parameters: Parameters | None = None,
    clock_speed: float = 1.0,
    interval_minutes: float | None = None,
    assignments: Assignments | None = None,
    planned_start: datetime | None = None,
) -> Run:
    """A draft of a run: the runbook checked, and frozen with its parameters for ``target``.

    ``assignments`` names people for roles; a role that is left out goes to the author as dba, else to the
    only person who has it. ``planned_start`` defaults to now. Raises RunbookInvalid with every finding,
    NotAllowed, or Refused.
    """
    actor = people.actor_of(author, how=how)
    actor.require(AUTHORS, "Writing a run")
    plan = load_plan(
        runbook_slug,
        target=target,
        data_decision=data_decision,
        parameters=parameters,
        clock_speed=clock_speed,
        interval_minutes=interval_minutes,
    )
    return _create(plan, actor=actor, assignments=assignments, planned_start=planned_start)


@verb("create")
def create_run_from_plan(
    *,
    plan: Plan,
    author: User,
    how: str,
    assignments: Assignments | None = None,
    planned_start: datetime | None = None,
) -> Run:
    """As :func:`create_run`, of a plan that is frozen already.

    For code alone: no page or command takes a plan.
    """
    actor = people.actor_of(author, how=how)
    actor.require(AUTHORS, "Writing a run")
    return _create(plan, actor=actor, assignments=assignments, planned_start=planned_start)


@verb("revise")
def revise_run(
    run_id: int,
    *,
    person: User,
    how: str,
    data_decision: DataDecision | None = None,
    parameters: Parameters | None = None,
    assignments: Assignments | None = None,
    planned_start: datetime | None = None,
) -> Run:
    """Change a draft: what is given is changed, the rest stays, and the runbook is frozen anew.

    Raises IllegalMove for a run that is no draft any more, NotAllowed for all but its author.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    require_author(at, actor, "Changing the draft")
    run = at.run
    if run.state != RunState.DRAFT:
        raise IllegalMove(
            f"{run.name} is no draft any more. Withdraw it first, then change it.", rule="state"
        )
    plan = load_plan(
        run.slug,
        target=run.target,
        data_decision=data_decision or cast(DataDecision, run.data_decision),
        parameters=parameters if parameters is not None else at.plan.parameters,
        clock_speed=at.plan.clock_speed,
        interval_minutes=interval_of(at.plan),
    )
    run.planned_start = planned_start or run.planned_start
    replace_plan(at, plan, actor=actor)
    if assignments:
        naming.assign(run, {**naming.named(run), **naming.by_role(assignments)}, actor=actor)
    return run


def load_plan(
    slug: str,
    *,
    target: str,
    data_decision: DataDecision,
    parameters: Parameters | None,
    clock_speed: float,
    interval_minutes: float | None = None,
) -> Plan:
    """The runbook as it is on disk now, frozen.

    Raises Refused for an unknown target or runbook, RunbookInvalid.
    """
    if target not in settings.TARGETS:
        known = ", ".join(sorted(settings.TARGETS)) or "none"
        raise Refused(
            f"There is no target '{target}' (known: {known}). Set TARGET_{target.upper()}_URL.", rule="target"
        )
    if clock_speed != 1.0 and target not in settings.REHEARSAL_TARGETS:
        raise Refused(
            f"Target '{target}' runs on real time: a compressed clock is for rehearsals. A target on which "
            "runs may be rehearsed is named in REHEARSAL_TARGETS.",
            rule="clock-speed",
        )
    runbook = loader.load(registry.find(slug))
    return freeze.freeze(
        runbook,
        target=target,
        data_decision=data_decision,
        clock_speed=clock_speed,
        parameters=parameters,
        interval_minutes=interval_minutes,
    )


def interval_of(plan: Plan) -> float | None:
    """The plan's own time between checks, where its clock is compressed; None: the runbook's."""
    return plan.runbook.window.interval_minutes if plan.clock_speed != 1.0 else None


def replace_plan(at: Situation, plan: Plan, *, actor: Actor) -> None:
    """Give a draft another plan, with the steps and slots that follow from it.

    Does little where it is the same.
    """
    run = at.run
    changed = plan.digest != run.plan_id
    if changed:
        before = run.plan_id
        move = plan.runbook.move
        run.plan = plan_store.store(plan, person=cast(User, actor.user))
        run.data_decision = plan.data_decision
        run.source_table, run.target_table = move.source, move.target
        at.__dict__.pop("plan", None)
        audit.append(
            actor=actor,
            run=run,
            action="run.revise",
            object=run.name,
            detail={"plan": plan.digest, "plan_before": before},
        )
    run.save()
    starts = planned_starts(plan, run.planned_start)
    for phase in at.phases.values():
        phase.planned_start = starts[phase.number]
        phase.planned_minutes = plan.runbook.phase(phase.number).minutes
        phase.save()
        if changed:
            phase.steps.all().delete()
            _make_steps(phase, plan)


def require_author(at: Situation, actor: Actor, what: str) -> None:
    """Raises NotAllowed for everybody but the run's author."""
    if actor.user is None or actor.user.pk != at.run.author_id:
        raise NotAllowed(
            f"{what} is for the author of {at.run.name}, {at.run.author.get_username()}.", rule="author"
        )


def require_free_tables(run: Run, plan: Plan) -> None:
    """Raises Refused when another active run works on one of the plan's tables.

    Keeps others from claiming them meanwhile.
    """
    situation.lock_tables(plan.target)
    mine = {plan.runbook.move.source, plan.runbook.move.target}
    for other in (
        Run.objects.filter(target=plan.target, state__in=list(RUN_ACTIVE)).exclude(pk=run.pk).order_by("id")
    ):
        shared = mine & {other.source_table, other.target_table}
        if shared:
            raise Refused(
                f"{other.name} ({other.state.replace('_', ' ')}) works on "
                f"{' and '.join(sorted(shared))} of target '{plan.target}'. Two runs on one table would undo "
                "each other: finish, cancel, seal or roll back that one first.",
                rule="one-run-per-table",
            )


def planned_starts(plan: Plan, start: datetime) -> dict[int, datetime]:
    """When each phase is to start.

    The day's slots after ``start``; phase 9 once the window has passed, at the plan's speed.
    """
    starts = {phase.number: start + phase.slot_start for phase in phases.PHASES}
    window = timedelta(hours=plan.runbook.window.hours / plan.clock_speed)
    starts[9] = starts[8] + window
    return starts


def planned_end(plan: Plan, number: int, start: datetime) -> datetime:
    """When the slot ends that begins at ``start``: the window's at the plan's speed, others as fixed."""
    fixed = phases.by_number(number)
    if number == phases.MONITORING:
        return start + timedelta(hours=plan.runbook.window.hours / plan.clock_speed)
    return start + (fixed.slot_end - fixed.slot_start)


def _create(
    plan: Plan, *, actor: Actor, assignments: Assignments | None, planned_start: datetime | None
) -> Run:
    author = cast(User, actor.user)
    move = plan.runbook.move
    run = Run(
        slug=plan.runbook.slug,
        target=plan.target,
        source_table=move.source,
        target_table=move.target,
        data_decision=plan.data_decision,
        author=author,
        planned_start=planned_start or timezone.now(),
    )
    require_free_tables(run, plan)
    run.plan = plan_store.store(plan, person=author)
    run.save()
    starts = planned_starts(plan, run.planned_start)
    for phase in phases.PHASES:
        row = PhaseRun.objects.create(
            run=run,
            number=phase.number,
            key=phase.key,
            planned_start=starts[phase.number],
            planned_minutes=plan.runbook.phase(phase.number).minutes,
        )
        _make_steps(row, plan)
    audit.append(
        actor=actor,
        run=run,
        action="run.create",
        object=run.name,
        detail={
            "plan": plan.digest,
            "target": plan.target,
            "data_decision": plan.data_decision,
            "clock_speed": plan.clock_speed,
            "parameters": plan.parameters,
            "planned_start": run.planned_start,
        },
    )
    naming.assign(run, naming.by_role(assignments or {}), actor=actor)
    return run


def _make_steps(phase: PhaseRun, plan: Plan) -> None:
    StepRun.objects.bulk_create(
        StepRun(phase=phase, position=position, key=step.key, kind=step.kind, title=step.title[:300])
        for position, step in enumerate(plan.runbook.phase(phase.number).steps, start=1)
    )
