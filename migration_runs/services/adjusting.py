"""Moving the copy's values inside their signed bounds while the run lasts: slower, faster, more hands, fewer.

The bounds are part of the plan that was approved. Inside them nobody signs again; the change is kept with its
author and reason, and every worker, on whatever host, follows it within seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import Adjustment
from migration_runs.phases import Role
from migration_runs.runbook.copying import MEANS, UNITS, WHOLE, CopySettings, Number
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import CopyStep
from migration_runs.services import audit, gates, people, situation
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState, RunState, StepState

ADJUSTERS = (Role.DBA, Role.DEVOPS, Role.ONCALL)
"""Who watches the target while data moves."""

STATES = frozenset({RunState.APPROVED, RunState.IN_PROGRESS, RunState.ON_HOLD})
BEFORE_OR_AT_WORK = frozenset({
    PhaseState.PENDING, PhaseState.READY, PhaseState.RUNNING, PhaseState.PAUSING, PhaseState.PAUSED,
    PhaseState.FAILED,
})  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """An adjustable value as it is now: signed value, bounds, and who changed it last (if anybody)."""

    name: str
    unit: str
    value: Number | None
    signed: Number | None
    lowest: float
    highest: float
    changed_by: str = ""
    changed_at: datetime | None = None
    comment: str = ""

    @property
    def means(self) -> str:
        """What it does, as words in front of its value."""
        return MEANS[self.name]


def current(run_id: int) -> dict[str, float]:
    """Values that people have changed, by name."""
    rows = Adjustment.objects.filter(run_id=run_id).order_by("id")
    return dict(rows.values_list("name", "value"))  # the newest is last, and stays


def settings_of(run_id: int, plan: Plan) -> tuple[Setting, ...]:
    """Every adjustable value of the run's copy."""
    signed = plan.runbook.move.copying
    rows = Adjustment.objects.filter(run_id=run_id).select_related("person").order_by("id")
    changed = {row.name: row for row in rows if signed.allows(row.name, row.value)}
    now = signed.adjusted({name: row.value for name, row in changed.items()})
    return tuple(
        Setting(
            name=name,
            unit=UNITS[name],
            value=now.value(name),
            signed=signed.value(name),
            lowest=bounds.min,
            highest=bounds.max,
            changed_by=changed[name].person.username if name in changed else "",
            changed_at=changed[name].at if name in changed else None,
            comment=changed[name].comment if name in changed else "",
        )
        for name, bounds in sorted(signed.adjustable.items(), key=lambda item: [*UNITS].index(item[0]))
    )


def copies(at: Situation) -> bool:
    """Whether the run's plan has anything adjustable, and a copy that is at work or to come."""
    return bool(at.plan.runbook.move.copying.adjustable) and _copy_phase(at) is not None


def may_adjust(at: Situation, actor: Actor) -> CopySettings:
    """The signed settings. Raises NotAllowed, Refused where nothing is adjustable, IllegalMove where it is
    late.
    """
    actor.require(ADJUSTERS, "Adjusting the copy")
    signed = at.plan.runbook.move.copying
    if not signed.adjustable:
        raise Refused(
            f"The plan of {at.run.name} lets nobody adjust anything: its values have no min and max.",
            rule="adjust",
        )
    if at.run.state not in STATES or _copy_phase(at) is None:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)} and copies nothing any more, or not yet: "
            "there is nothing to adjust.",
            rule="state",
        )
    return signed


@verb("adjust")
def adjust(
    run_id: int, *, values: Mapping[str, str], comment: str, person: User, how: str
) -> tuple[Setting, ...]:
    """Set values by name; all of them or none. Workers follow between two chunks.

    Raises NotAllowed, IllegalMove, or Refused for a value that is fixed, no number, or outside its signed
    bounds, for a critical load below the one at which the copy waits, and without a comment.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    signed = may_adjust(at, actor)
    if not comment.strip():
        raise Refused("Say why: whoever looks at the copy next has to know.", rule="comment")
    if not values:
        raise Refused(f"Say what: one of {', '.join(signed.adjustable)}, with its new value.", rule="adjust")
    wanted = {name: _number(signed, name, text) for name, text in values.items()}
    before = signed.adjusted(current(run_id))
    for limit, critical in before.adjusted(wanted).upside_down:
        raise Refused(
            f"{critical} would be below {limit}: the copy would hold the run before it waits. Move both.",
            rule="adjust",
        )
    for name, value in wanted.items():
        bounds = signed.adjustable[name]
        Adjustment.objects.create(run=at.run, name=name, value=value, person=person, comment=comment.strip())
        audit.append(
            actor=actor,
            run=at.run,
            action="run.adjust",
            object=f"{name} of {at.run.name}",
            detail={
                "name": name,
                "from": before.value(name),
                "to": value,
                "min": bounds.min,
                "max": bounds.max,
                "comment": comment.strip(),
            },
        )
    return settings_of(run_id, at.plan)


def _number(signed: CopySettings, name: str, text: str) -> Number:
    """The value that ``text`` gives ``name``. Raises Refused with what would be allowed."""
    bounds = signed.adjustable.get(name)
    if bounds is None:
        raise Refused(
            f"{name} is fixed by the signed plan. Adjustable are: {', '.join(signed.adjustable)}.",
            rule="adjust",
        )
    try:
        value = float(text)
    except ValueError:
        raise Refused(f"{name} is a number; '{text}' is none.", rule="adjust") from None
    if signed.allows(name, value):
        return int(value) if name in WHOLE else value
    if bounds.min <= value <= bounds.max:
        raise Refused(f"{name} counts {UNITS[name]}: {text} is no whole number.", rule="adjust")
    raise Refused(
        f"{name} was signed for {bounds.min:g} to {bounds.max:g}{_unit(name)}; {text} is outside. "
        "Other bounds need a new plan and its approval.",
        rule="adjust",
    )


def _unit(name: str) -> str:
    return f" {UNITS[name]}" if UNITS[name] else ""


def _copy_phase(at: Situation) -> int | None:
    """The phase whose copy is at work or to come; None when there is none, or it is over."""
    for phase in at.plan.runbook.phases:
        for step in phase.steps:
            if isinstance(step, CopyStep) and step.part == "chunks":
                return phase.number if _is_to_come(at, phase.number, step.key) else None
    return None


def _is_to_come(at: Situation, number: int, key: str) -> bool:
    row = at.phases.get(number)
    if row is None or row.state not in BEFORE_OR_AT_WORK:
        return False
    return not any(
        step.phase_id == row.pk and step.key == key and step.state == StepState.DONE for step in at.steps
    )
