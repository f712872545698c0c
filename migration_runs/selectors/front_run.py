"""The run in front on the start page: which it is, what comes next on it, its checklist and its way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from migration_runs.models import StepRun
from migration_runs.phases import Role
from migration_runs.runbook.texts import ReadinessItem
from migration_runs.selectors.going_on import GOING, front_of
from migration_runs.selectors.plans import has_undo
from migration_runs.selectors.readiness import GROUPS
from migration_runs.selectors.start_views import (
    ComingView,
    FrontView,
    OpenItemView,
    ReadinessGroupView,
    ReadinessSummary,
    RollbackSummary,
    WaitingView,
)
from migration_runs.selectors.waiting import GROUPS_DUE
from migration_runs.services import fleet, plans, readiness, rollback
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import PhaseState

MISSING_SHOWN = 3


def front_run(waiting: Sequence[WaitingView], runs: Mapping[int, Situation], me: Actor) -> int | None:
    """The run that the page is about: where most urgently something waits, else where I am named, else any.

    Runs under way come before those that have not begun, newer ones before older ones.
    """
    if waiting:
        return waiting[0].id
    mine = me.user.pk if me.user is not None else None

    def rank(run_id: int) -> tuple[bool, bool, int]:
        at = runs[run_id]
        return at.run.state in GOING, mine in at.assigned.values(), run_id

    return max(runs, key=rank, default=None)


def front_view(at: Situation, me: Actor, everybody: Mapping[int, Actor], *, now: datetime) -> FrontView:
    """What the page says of the run in front."""
    return FrontView(
        id=at.run.pk,
        name=at.run.name,
        target=at.run.target,
        state=at.run.state,
        coming=_coming(at, me, everybody),
        pace=_pace(at, now),
        readiness=_readiness(at, everybody),
        rollback=_rollback(at, me),
    )


def _coming(at: Situation, me: Actor, everybody: Mapping[int, Actor]) -> tuple[ComingView, ...]:
    coming = []
    for phase in at.phases.values():
        if phase.state not in {PhaseState.PENDING, PhaseState.READY}:
            continue
        role = at.plan.runbook.phase(phase.number).owner
        named = at.assigned.get(role)
        coming.append(
            ComingView(
                starts_at=phase.planned_start,
                phase=f"{phase.number} {phase.phase.title}",
                slot_end=plans.planned_end(at.plan, phase.number, phase.planned_start),
                owner=_name(named, everybody),
                role=role,
                yours=me.user is not None and named == me.user.pk,
                planned=timedelta(minutes=phase.planned_minutes),
            )
        )
    return tuple(coming)


def _name(person_id: int | None, everybody: Mapping[int, Actor]) -> str:
    named = everybody.get(person_id or 0)
    return named.name if named else "somebody"


def _pace(at: Situation, now: datetime) -> str:
    """Ahead of the plan or behind it, by the last phase that began or the next one that should have."""
    phase = front_of(at)
    if phase is None:
        return ""
    if phase.started_at is not None:
        off = phase.planned_start - phase.started_at
        how = "ahead of" if off > timedelta(0) else "behind"
        if abs(off) < timedelta(minutes=1):
            return f"phase {phase.number} began on plan"
        return f"phase {phase.number} began {fleet.in_words(abs(off))} {how} plan"
    late = now - phase.planned_start
    return (
        f"phase {phase.number} is {fleet.in_words(late)} late" if late > timedelta(minutes=1) else "on plan"
    )


def _readiness(at: Situation, everybody: Mapping[int, Actor]) -> ReadinessSummary | None:
    items = at.plan.runbook.readiness
    if not items:
        return None
    due = GROUPS_DUE.get(at.run.state, ())
    ticked = {item.key for item in items if readiness.ticked(at, item)}
    missing = [i for i in items if i.group in due and i.key not in ticked and not i.automatic]
    return ReadinessSummary(
        groups=tuple(_group(key, title, items, ticked, key in due) for key, title, *_ in GROUPS),
        ticked=len(ticked),
        total=len(items),
        missing=tuple(
            OpenItemView(i.text, _name(at.assigned.get(i.role), everybody), Role(i.role))
            for i in missing[:MISSING_SHOWN]
        ),
    )


def _group(
    key: str, title: str, items: Sequence[ReadinessItem], ticked: set[str], due: bool
) -> ReadinessGroupView:
    own = [item.key for item in items if item.group == key]
    have = sum(one in ticked for one in own)
    state, word = ("to_come", "to come")
    if not own:
        state, word = "to_come", "nothing asked"
    elif have == len(own):
        state, word = "ticked", "complete"
    elif due:
        state, word = "waiting", "in progress"
    return ReadinessGroupView(title, have, len(own), state, word)


def _rollback(at: Situation, me: Actor) -> RollbackSummary:
    """Rows are those that copy steps told of; the preview asks the target itself."""
    reads_only = {
        (number, step.key)
        for number in at.phases
        for step in at.plan.runbook.phase(number).steps
        if not has_undo(step)
    }
    rows = list(
        StepRun.objects.filter(phase__run=at.run).values_list("phase__number", "key", "kind", "state", "done")
    )
    return RollbackSummary(
        possible=at.run.state in rollback.FROM,
        yours=bool(me.roles.intersection(rollback.MAY_ROLL_BACK)),
        steps=sum(state == "done" and (n, key) not in reads_only for n, key, _, state, _ in rows),
        rows=sum(done for _, _, kind, _, done in rows if kind == "copy"),
        data_decision=at.run.data_decision,
    )
