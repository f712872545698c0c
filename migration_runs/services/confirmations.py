"""People confirm, with evidence, what was done elsewhere."""

from __future__ import annotations

import re

from django.contrib.auth.models import User

from migration_runs.exceptions import IllegalMove, Refused
from migration_runs.models import Confirmation, PhaseRun
from migration_runs.runbook.steps import ConfirmStep
from migration_runs.services import audit, people, situation, waking
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState

ASKED_IN = frozenset({PhaseState.RUNNING, PhaseState.PAUSING, PhaseState.PAUSED, PhaseState.UNDOING})


def may_confirm(at: Situation, actor: Actor, *, number: int, step: str) -> tuple[PhaseRun, ConfirmStep]:
    """The phase and the step, if the actor may confirm it now.

    Raises Refused for what is no such step, NotAllowed for the wrong role, IllegalMove when it is not being
    asked for.
    """
    phase = at.phase(number)
    declared = next((s for s in at.plan.runbook.phase(number).steps if s.key == step), None)
    if not isinstance(declared, ConfirmStep):
        raise Refused(f"Phase {number} has no step '{step}' that a person confirms.", rule="step")
    actor.require((declared.role,), f"Confirming '{declared.title}'")
    waiting = phase.waiting or {}
    if phase.state not in ASKED_IN or waiting.get("step") != step or waiting.get("kind") != "confirmation":
        raise IllegalMove(f"'{declared.title}' is not being asked for now.", rule="state")
    return phase, declared


@verb("confirm")
def confirm(run_id: int, *, phase: int, step: str, evidence: str, person: User, how: str) -> Confirmation:
    """Confirm the step that the phase waits for (while it is undone: that it was taken back), with evidence.

    Raises what :func:`may_confirm` raises, and Refused for evidence that is not of the form that the runbook
    asks for.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    row, declared = may_confirm(at, actor, number=phase, step=step)
    undo = row.state == PhaseState.UNDOING
    given = evidence.strip()
    if not re.search(declared.evidence_pattern, given):
        raise Refused(
            f"That is not the evidence that is asked for: {declared.evidence_hint}.", rule="evidence"
        )
    confirmation, made = Confirmation.objects.get_or_create(
        phase=row, step_key=step, undo=undo, defaults={"person": person, "evidence": given}
    )
    if not made:
        raise IllegalMove(
            f"'{declared.title}' was confirmed by {confirmation.person.get_username()} already.", rule="state"
        )
    audit.append(
        actor=actor,
        run=at.run,
        action="step.confirm_undo" if undo else "step.confirm",
        object=f"{step} of phase {phase} of {at.run.name}",
        detail={"phase": phase, "step": step, "title": declared.title, "evidence": given},
    )
    waking.wake(row)
    return confirmation
