"""Every state against every verb: what the table allows happens, everything else changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from migration_runs.engine.outcome import Outcome
from migration_runs.exceptions import Refused
from migration_runs.models import AuditEvent, PhaseRun, Run, SignOff
from migration_runs.phases import Role
from migration_runs.services import actions, runs, step_up, verification
from tests.control import HOW, PASSWORD, Scene

pytestmark = pytest.mark.django_db

FAILED = Outcome(status="failed", step="holds", error="it does not hold")


def roll_back(scene: Scene) -> None:
    person = scene.people[Role.DBA]
    runs.roll_back_run(
        scene.run_id,
        typed_name=scene.run.name,
        step_up=step_up.prove(person, password=PASSWORD),
        person=person,
        how=HOW,
    )


def by(role: Role, verb: Callable[..., Any], **given: Any) -> Callable[[Scene], Any]:
    return lambda scene: verb(scene.run_id, person=scene.people[role], how=HOW, **given)


VERBS: dict[str, Callable[[Scene], Any]] = {
    "submit": by(Role.DBA, runs.submit_run),
    "withdraw": by(Role.DBA, runs.withdraw_run),
    "send_back": by(Role.APPROVER, runs.send_back_run, comment="no"),
    "sign": lambda scene: scene.sign(Role.APPROVER),
    "start": lambda scene: scene.start(1),
    "pause": by(Role.DBA, runs.pause_phase),
    "hold": by(Role.DBA, runs.hold_run, reason="a look"),
    "resume": by(Role.DBA, runs.resume_run),
    "retry": by(Role.DBA, runs.retry_phase),
    "retry_rollback": by(Role.DBA, runs.retry_rollback),
    "verify": by(Role.DBA, verification.request),
    "cancel": by(Role.DBA, runs.cancel_run),
    "seal": by(Role.APPROVER, runs.seal_run),
    "roll_back": roll_back,
}


def draft() -> Scene:
    return Scene.draft()


def cancelled() -> Scene:
    scene = Scene.draft()
    VERBS["cancel"](scene)
    return scene


def running(number: int = 2) -> Scene:
    scene = Scene.at_phase(number)
    scene.start(number)
    return scene


def after(make: Callable[[], Scene], *steps: Callable[[Scene], Any]) -> Callable[[], Scene]:
    def made() -> Scene:
        scene = make()
        for step in steps:
            step(scene)
        return scene

    return made


def completed() -> Scene:
    scene = Scene.at_phase(9)
    scene.go_through(9)
    run = scene.run
    run.seal_after = run.completed_at
    run.save()
    return scene


SCENES: dict[str, tuple[Callable[[], Scene], set[str]]] = {
    "draft": (draft, {"submit", "cancel"}),
    "awaiting approval": (Scene.submitted, {"withdraw", "send_back", "sign", "cancel"}),
    "approved": (Scene.approved, {"start", "cancel", "roll_back"}),
    "running": (running, {"pause", "hold", "roll_back"}),
    "paused": (after(running, VERBS["pause"]), {"resume", "hold", "roll_back"}),
    "failed": (after(running, lambda scene: scene.work(2, FAILED)), {"retry", "hold", "roll_back"}),
    "awaiting sign-off": (after(running, lambda scene: scene.work(2)), {"hold", "roll_back"}),
    "between phases": (lambda: Scene.at_phase(5), {"hold", "roll_back", "verify"}),
    "on hold": (after(running, VERBS["hold"]), {"resume", "roll_back"}),
    "completed": (completed, {"seal", "roll_back"}),
    "sealed": (after(completed, VERBS["seal"]), set()),
    "cancelled": (cancelled, set()),
    "rolling back": (after(running, VERBS["roll_back"]), set()),
    "undo failed": (
        after(running, VERBS["roll_back"], lambda scene: scene.work(2, FAILED)),
        {"retry_rollback", "retry"},
    ),
    "rolled back": (after(Scene.approved, VERBS["roll_back"]), set()),
}


def snapshot(scene: Scene) -> list[Any]:
    return [
        list(Run.objects.filter(pk=scene.run_id).values()),
        list(PhaseRun.objects.filter(run_id=scene.run_id).order_by("id").values()),
        list(SignOff.objects.filter(run_id=scene.run_id).order_by("id").values()),
    ]


@pytest.mark.parametrize("state", SCENES)
def test_each_verb_does_what_the_state_allows_and_nothing_else(state: str) -> None:
    make, allowed = SCENES[state]
    scene = make()
    offered = {
        action.verb
        for role in Role
        for action in actions.allowed_actions(scene.run, scene.people[role])
        if action.allowed and action.gate in {None, "plan"}
    }
    before = snapshot(scene)
    for name, verb in VERBS.items():
        done = performed(scene, verb)
        assert done == (name in allowed), f"{name} while {state}"
        assert done or snapshot(scene) == before, f"{name} was refused but changed something"
        # The next phase may be started; and a retry of a rollback is offered under its own name.
        if name not in {"start", "retry"}:
            assert done == (name in offered), f"{name} is offered differently while {state}"


def performed(scene: Scene, verb: Callable[[Scene], Any]) -> bool:
    """Whether the verb was done rather than refused, with an event; what it did is taken back."""
    events = AuditEvent.objects.count()
    try:
        with transaction.atomic():
            verb(scene)
            assert AuditEvent.objects.count() > events
            transaction.set_rollback(True)
    except Refused:
        return False
    return True
