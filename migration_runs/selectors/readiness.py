"""The readiness checklist of a run, in its four groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from django.contrib.auth.models import User

from migration_runs.exceptions import Refused
from migration_runs.models import ReadinessTick, Run
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.readiness_views import ReadinessGroup, ReadinessView, TakenBack
from migration_runs.services import people, readiness
from migration_runs.services.situation import Situation

GROUPS = (
    ("approvers", "Approvers", "before the plan is signed", False),
    ("day_before", "Day before", "complete before phase 1 may start", True),
    ("day_of", "Day of", "while the run goes through its phases", False),
    ("after", "After", "once the run is completed or rolled back", False),
)


def readiness_of(
    run: Run, plan: Plan, person: User, *, named: Mapping[Role, str] | None = None
) -> tuple[ReadinessView, ...]:
    """Every item with its tick, given by a named person or by a fact that the panel knows.

    ``named`` is who has which role in the run.
    """
    ticks, taken_back = _ticks(run)
    facts = readiness.facts(run, plan)
    at, actor = Situation(run), people.actor_of(person, how="")
    views = []
    for item in plan.runbook.readiness:
        tick = ticks.get(item.key)
        fact = facts[item.automatic] if item.automatic else None
        ticked = fact.so if fact else tick is not None
        views.append(
            ReadinessView(
                key=item.key,
                group=item.group,
                text=item.text,
                role=item.role,
                automatic=fact is not None,
                ticked=ticked,
                by=("the panel" if ticked else "") if fact else (tick.person.username if tick else ""),
                at=fact.since if fact else (tick.at if tick else None),
                may_tick=not ticked and _may(partial(readiness.may_tick, at, actor, item=item.key)),
                later=readiness.is_later(at, item),
                person=(named or {}).get(item.role, ""),
                evidence=tick.evidence if tick else "",
                known_from=fact.known_from if fact else "",
                may_untick=tick is not None and _may(partial(readiness.may_untick, at, actor, item=item.key)),
                taken_back=tuple(taken_back[item.key]),
            )
        )
    return tuple(views)


def groups_of(items: Sequence[ReadinessView]) -> tuple[ReadinessGroup, ...]:
    """The four groups in the order of time, empty ones too."""
    return tuple(
        ReadinessGroup(key, title, purpose, gates, tuple(item for item in items if item.group == key))
        for key, title, purpose, gates in GROUPS
    )


def _ticks(run: Run) -> tuple[dict[str, ReadinessTick], dict[str, list[TakenBack]]]:
    """The ticks that count by item, and those that were taken back."""
    counting: dict[str, ReadinessTick] = {}
    taken_back: dict[str, list[TakenBack]] = defaultdict(list)
    for tick in run.ticks.select_related("person", "void_by").order_by("id"):
        if tick.void_at is None or tick.void_by is None:
            counting[tick.item] = tick
            continue
        taken_back[tick.item].append(
            TakenBack(tick.person.username, tick.at, tick.void_by.username, tick.void_at, tick.void_reason)
        )
    return counting, taken_back


def _may(rule: Callable[[], object]) -> bool:
    try:
        rule()
    except Refused:
        return False
    return True
