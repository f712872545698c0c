"""The readiness checklist of a run."""

from __future__ import annotations

from django.contrib.auth.models import User

from migration_runs.exceptions import Refused
from migration_runs.models import Run
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.gate_views import ReadinessView
from migration_runs.services import people, readiness
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation


def readiness_of(run: Run, plan: Plan, person: User) -> tuple[ReadinessView, ...]:
    """Every item with its tick, given by a named person or by a fact that the panel knows."""
    ticks = {tick.item: tick for tick in run.ticks.select_related("person")}
    facts = readiness.facts(run, plan)
    at, actor = Situation(run), people.actor_of(person, how="")
    views = []
    for item in plan.runbook.readiness:
        tick = ticks.get(item.key)
        automatic = item.automatic is not None
        ticked = bool(facts.get(item.automatic)) if item.automatic else tick is not None
        views.append(
            ReadinessView(
                key=item.key,
                group=item.group,
                text=item.text,
                role=item.role,
                automatic=automatic,
                ticked=ticked,
                by="the panel" if automatic and ticked else (tick.person.username if tick else ""),
                at=tick.at if tick else None,
                may_tick=not ticked and _may_tick(at, actor, item.key),
            )
        )
    return tuple(views)


def _may_tick(at: Situation, actor: Actor, item: str) -> bool:
    try:
        readiness.may_tick(at, actor, item=item)
    except Refused:
        return False
    return True
