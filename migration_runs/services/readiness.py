"""The readiness checklist: ticked by named people in their roles, or by facts that the panel knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.utils import timezone

from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import ReadinessTick, Run, VerificationReport
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.texts import ReadinessItem
from migration_runs.services import audit, gates, people, situation
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import RUN_FINAL, PhaseState, RunState, StepState

APPROVED = frozenset({
    RunState.APPROVED, RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.COMPLETED, RunState.SEALED,
})  # fmt: skip
AFTER = "after"
BACK = frozenset({RunState.ROLLING_BACK, RunState.ROLLED_BACK})
ENDED = frozenset({RunState.COMPLETED, RunState.SEALED, RunState.ROLLED_BACK})
FINISHED = frozenset({PhaseState.AWAITING_SIGN_OFF, PhaseState.DONE})


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


@dataclass(frozen=True)
class Fact:
    """What the panel knows by itself: whether it is so, since when, and from what it is known."""

    so: bool
    known_from: str
    since: datetime | None = None


def _approved(at: Situation) -> Fact:
    given = [s.at for s in at.sign_offs if s.approved and s.gate == gates.PLAN]
    so = at.run.state in APPROVED or (bool(given) and at.run.state in BACK)
    return Fact(so, "the signatures on the plan", max(given, default=None) if so else None)


def _signed(at: Situation, phase: int, known_from: str) -> Fact:
    """What was signed was so, also when it was taken back: a phase is signed when its steps are done."""
    given = [s.at for s in at.sign_offs if s.approved and s.gate == gates.phase_gate(phase)]
    return Fact(bool(given), known_from, max(given, default=None))


def _steps_done(phase: int, kind: str, words: str) -> Callable[[Situation], Fact]:
    def ask(at: Situation) -> Fact:
        steps = [s for s in at.steps if s.phase.number == phase and s.kind == kind]
        if bool(steps) and all(s.state == StepState.DONE for s in steps):
            ended = [s.finished_at for s in steps if s.finished_at]
            return Fact(so=True, known_from=f"{words} of phase {phase}", since=max(ended, default=None))
        return _signed(at, phase, f"{words} of phase {phase}")

    return ask


def _phase_over(number: int, words: str) -> Callable[[Situation], Fact]:
    def ask(at: Situation) -> Fact:
        if at.phase(number).state in FINISHED:
            ended = [s.finished_at for s in at.steps if s.phase.number == number and s.finished_at]
            return Fact(so=True, known_from=f"{words} of phase {number}", since=max(ended, default=None))
        return _signed(at, number, f"{words} of phase {number}")

    return ask


def _verified(at: Situation) -> Fact:
    report = at.verification
    so = report is not None and not unclean_report(at)
    return Fact(so, "the last full comparison of source and target", report.at if report and so else None)


FACTS: dict[str, Callable[[Situation], Fact]] = {
    "approved": _approved,
    "backup_done": _steps_done(1, "backup", "the backup steps"),
    "counts_match": _steps_done(4, "verify", "the comparison"),
    "monitored": _phase_over(8, "the whole window"),
    "rolled_up": _phase_over(6, "the health checks"),
    "verified": _verified,
}
"""What the panel knows by itself.

``rolled_up``: the health checks, which see the aggregation go on, have passed.
"""


def facts(run: Run, plan: Plan) -> dict[str, Fact]:
    """Every automatic fact that the plan's checklist asks for, as it is now."""
    at = Situation(run)
    asked = {item.automatic for item in plan.runbook.readiness if item.automatic}
    return {name: FACTS[name](at) for name in sorted(asked)}


def ticked(at: Situation, item: ReadinessItem) -> bool:
    """Whether the item is so: by its fact, or by somebody's tick."""
    return FACTS[item.automatic](at).so if item.automatic else item.key in at.ticks


def open_items(at: Situation, group: str) -> list[ReadinessItem]:
    """Items of a group that are not ticked."""
    return [item for item in at.plan.runbook.readiness if item.group == group and not ticked(at, item)]


def require_day_before(at: Situation) -> None:
    """Raises Refused, naming what is open, unless the day-before group is complete: it gates the start."""
    left = open_items(at, "day_before")
    if left:
        names = "; ".join(f"{item.text} ({item.role.value}: {item.key})" for item in left)
        raise Refused(f"The day-before checklist is not complete. Open: {names}.", rule="readiness")


def is_later(at: Situation, item: ReadinessItem) -> bool:
    """Whether the item is for afterwards, and the run has not ended."""
    return item.group == AFTER and at.run.state not in ENDED | RUN_FINAL


def may_tick(at: Situation, actor: Actor, *, item: str) -> ReadinessItem:
    """The item, if the actor may tick it now. Raises Refused, NotAllowed or IllegalMove with the reason."""
    found = _of_a_person(at, actor, item=item, what="Ticking")
    if item in at.ticks:
        raise IllegalMove(f"'{item}' has been ticked already.", rule="state")
    return found


def may_untick(at: Situation, actor: Actor, *, item: str) -> ReadinessTick:
    """The tick, if the actor may take it back: whoever has the item's role. Raises as :func:`may_tick`."""
    _of_a_person(at, actor, item=item, what="Taking back")
    if item not in at.ticks:
        raise IllegalMove(f"'{item}' is not ticked.", rule="state")
    return at.ticks[item]


def _of_a_person(at: Situation, actor: Actor, *, item: str, what: str) -> ReadinessItem:
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
    actor.require((found.role,), f"{what} '{item}'")
    if is_later(at, found):
        raise IllegalMove(
            f"'{item}' is for afterwards: it is ticked once {at.run.name} is completed or rolled back.",
            rule="state",
        )
    if at.run.state in RUN_FINAL and not (found.group == AFTER and at.run.state in ENDED):
        raise IllegalMove(f"{at.run.name} is over: nothing is ticked any more.", rule="state")
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


@verb("untick")
def untick(run_id: int, *, item: str, reason: str, person: User, how: str) -> ReadinessTick:
    """Take a tick back, with a reason. The tick stays on record; the item is open again.

    Raises Refused, NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    row = may_untick(at, actor, item=item)
    text = next(known.text for known in at.plan.runbook.readiness if known.key == item)
    if not reason.strip():
        raise Refused("Say why the tick is taken back.", rule="comment")
    row.void_at = timezone.now()
    row.void_by = person
    row.void_reason = reason.strip()
    row.save(update_fields=["void_at", "void_by", "void_reason"])
    audit.append(
        actor=actor,
        run=at.run,
        action="readiness.untick",
        object=f"{item} of {at.run.name}",
        detail={"text": text, "ticked_by": row.person.get_username(), "reason": row.void_reason},
    )
    return row
