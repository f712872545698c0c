"""The readiness checklist: ticked by named people in their roles, or by facts that the panel knows."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import User

from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import ReadinessTick, Run, VerificationReport
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.texts import ReadinessItem
from migration_runs.services import audit, people, situation
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import RUN_FINAL, PhaseState, RunState, StepState

APPROVED = frozenset({
    RunState.APPROVED, RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.COMPLETED, RunState.SEALED,
})  # fmt: skip
FINISHED = frozenset({PhaseState.AWAITING_SIGN_OFF, PhaseState.DONE})


def _done(at: Situation, *, phase: int, kind: str) -> bool:
    steps = [s for s in at.steps if s.phase.number == phase and s.kind == kind]
    return bool(steps) and all(s.state == StepState.DONE for s in steps)


def _over(at: Situation, number: int) -> bool:
    return at.phase(number).state in FINISHED


def unclean_report(at: Situation) -> VerificationReport | None:
    """The report that speaks against equality: the newest full one, or a newer look at what was touched."""
    return speaks_against(at.verification, at.look)


def speaks_against(
    full: VerificationReport | None, look: VerificationReport | None
) -> VerificationReport | None:
    """The same of the newest full report and the newest look."""
    for report in (full, look):
        newer = report is not None and (full is None or report.pk >= full.pk)
        if report is not None and newer and not report.clean:
            return report
    return None


FACTS: dict[str, Callable[[Situation], bool]] = {
    "approved": lambda at: at.run.state in APPROVED,
    "backup_done": lambda at: _done(at, phase=1, kind="backup"),
    "counts_match": lambda at: _done(at, phase=4, kind="verify"),
    "monitored": lambda at: _over(at, 8),
    "rolled_up": lambda at: _over(at, 6),
    "verified": lambda at: at.verification is not None and not unclean_report(at),
}
"""What the panel knows by itself.

``rolled_up``: the health checks, which see the aggregation go on, have passed.
"""


def facts(run: Run, plan: Plan) -> dict[str, bool]:
    """Every automatic fact that the plan's checklist asks for, and whether it is so now."""
    at = Situation(run)
    asked = {item.automatic for item in plan.runbook.readiness if item.automatic}
    return {name: FACTS[name](at) for name in asked}


def ticked(at: Situation, item: ReadinessItem) -> bool:
    """Whether the item is so: by its fact, or by somebody's tick."""
    return FACTS[item.automatic](at) if item.automatic else item.key in at.ticks


def open_items(at: Situation, group: str) -> list[ReadinessItem]:
    """Items of a group that are not ticked."""
    return [item for item in at.plan.runbook.readiness if item.group == group and not ticked(at, item)]


def require_day_before(at: Situation) -> None:
    """Raises Refused, naming what is open, unless the day-before group is complete: it gates the start."""
    left = open_items(at, "day_before")
    if left:
        names = "; ".join(f"{item.text} ({item.role.value}: {item.key})" for item in left)
        raise Refused(f"The day-before checklist is not complete. Open: {names}.", rule="readiness")


def may_tick(at: Situation, actor: Actor, *, item: str) -> ReadinessItem:
    """The item, if the actor may tick it now. Raises Refused, NotAllowed or IllegalMove with the reason."""
    found = next((known for known in at.plan.runbook.readiness if known.key == item), None)
    if found is None:
        keys = (
            ", ".join(known.key for known in at.plan.runbook.readiness if known.automatic is None) or "none"
        )
        raise Refused(
            f"The checklist of {at.run.name} has no item '{item}' (to tick: {keys}).", rule="readiness"
        )
    if found.automatic:
        raise Refused(f"'{item}' is ticked by the panel itself, once it is so.", rule="readiness")
    actor.require((found.role,), f"Ticking '{item}'")
    if at.run.state in RUN_FINAL:
        raise IllegalMove(f"{at.run.name} is over: nothing is ticked any more.", rule="state")
    if item in at.ticks:
        raise IllegalMove(f"'{item}' has been ticked already.", rule="state")
    return found


@verb("tick")
def tick(run_id: int, *, item: str, person: User, how: str, evidence: str = "") -> ReadinessTick:
    """Tick an item of the checklist, with evidence if there is some.

    Raises Refused, NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    found = may_tick(at, actor, item=item)
    row = ReadinessTick.objects.create(run=at.run, item=item, person=person, evidence=evidence)
    audit.append(
        actor=actor,
        run=at.run,
        action="readiness.tick",
        object=f"{item} of {at.run.name}",
        detail={"text": found.text, "evidence": evidence},
    )
    return row
