"""Runs in every state that a page has to show, and the panel's addresses."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from django.urls import reverse

from migration_runs import menu
from migration_runs.engine.outcome import Outcome, Waiting
from migration_runs.models import Run, StepRun
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import leases, plans, progress, runs, step_up
from tests.control import HOW, PASSWORD, WINDOW, Scene, control_plan, make_people
from tests.plans import confirm_step, sql_step

ITEM = {"key": "space", "group": "day_before", "text": "Space for the backup", "role": "dba"}
PAGES = (
    "change", "live", "plan", "monitoring", "monitoring_live", "readiness", "handover", "audit", "log",
    "log_lines", "rollback",
)  # fmt: skip
_numbers = itertools.count()


def own_tables(plan: Plan) -> Plan:
    """The plan on tables of its own: runs on the same ones would exclude each other."""
    number = next(_numbers)
    body = plan.model_dump(mode="json")
    old, new = f"public.old_things_{number}", f"public.new_things_{number}"
    body["runbook"]["move"] |= {"source": old, "target": new}
    body["runbook"]["tables"] = [old, new]
    return Plan.model_validate(body)


def started(number: int, plan: Plan | None = None) -> Scene:
    """A run whose phase ``number`` was started."""
    scene = Scene.at_phase(number, own_tables(plan or control_plan()))
    scene.start(number)
    return scene


def failed() -> Scene:
    """A run whose phase 2 failed."""
    scene = started(2)
    scene.work(2, Outcome(status="failed", error="no unique index", kept="nothing", next_step="make one"))
    return scene


def to_sign() -> Scene:
    """A run whose phase 2 waits for its signature."""
    scene = started(2)
    scene.work(2)
    return scene


def paused() -> Scene:
    """A run whose phase 2 is paused."""
    scene = started(2)
    runs.pause_phase(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    return scene


def held() -> Scene:
    """A run on hold, with a reason that would hurt if it were not escaped."""
    scene = started(2)
    runs.hold_run(scene.run_id, reason="<b>lag</b> 40 s", person=scene.people[Role.ONCALL], how=HOW)
    return scene


def asking() -> Scene:
    """A run whose phase 5 asks the engineer for a word."""
    scene = started(5, control_plan({5: [confirm_step("asked")]}))
    phase = scene.phase(5)
    token = leases.claim(phase.pk, worker="worker-1")
    assert token is not None
    waiting = Waiting(step="asked", kind="confirmation", text="for the engineer's word")
    progress.record_outcome(phase.pk, token=token, outcome=Outcome(status="waiting", waiting=waiting))
    StepRun.objects.filter(phase=phase, key="asked").update(state="waiting")
    return scene


def monitored() -> Scene:
    """A run in its window."""
    scene = started(8, control_plan(hours=24, clock_speed=60.0))
    scene.work(8, Outcome(status="waiting", waiting=WINDOW))
    return scene


def rolling_back() -> Scene:
    """A run that is being rolled back; its first two phases have steps that can be undone."""
    undoable = {n: [sql_step(f"files_{n}", "SELECT 1", undo="SELECT 2")] for n in (1, 2)}
    scene = Scene.at_phase(3, own_tables(control_plan(undoable)))
    person = scene.people[Role.ONCALL]
    runs.roll_back_run(
        scene.run_id, typed_name=scene.run.name, step_up=step_up.prove(person, password=PASSWORD),
        person=person, how=HOW,
    )  # fmt: skip
    return scene


def cancelled() -> Scene:
    """A cancelled draft."""
    scene = Scene.draft(own_tables(control_plan()))
    runs.cancel_run(scene.run_id, comment="not now", person=scene.people[Role.DBA], how=HOW)
    return scene


def draft() -> Scene:
    """A draft with a checklist."""
    return Scene.draft(own_tables(control_plan(readiness=[ITEM])))


def shipped() -> Scene:
    """A draft of the shipped runbook, with all its texts."""
    people = make_people()
    run = plans.create_run(
        runbook_slug="dxy_1m", target="bars", data_decision="delete", author=people[Role.DBA], how=HOW
    )
    return Scene(run.pk, people)


STATES: dict[str, Callable[[], Scene]] = {
    "draft": draft,
    "awaiting_approval": lambda: Scene.submitted(own_tables(control_plan())),
    "approved": lambda: Scene.approved(own_tables(control_plan(readiness=[ITEM]))),
    "ready": lambda: Scene.at_phase(2, own_tables(control_plan())),
    "running": lambda: started(2),
    "failed": failed,
    "to_sign": to_sign,
    "paused": paused,
    "on_hold": held,
    "asking": asking,
    "monitored": monitored,
    "rolling_back": rolling_back,
    "cancelled": cancelled,
}


def url(page: str, run_id: int, *more: str | int) -> str:
    """The address of a page of a run."""
    return reverse(f"admin:migration_runs_run_{page}", args=[run_id, *more])


def addresses(run: Run) -> list[str]:
    """Every address of a run, those that act included."""
    verbs = [url("act", run.pk, verb) for verb in menu.MENU]
    gates = [
        url("act", run.pk, "sign") + f"?gate={gate}" for gate in ("plan", "start:9", "phase:2", "phase:x")
    ]
    acting = [
        url("confirm", run.pk, 5, "asked"), url("tick", run.pk, "space"), url("untick", run.pk, "space"),
        url("handover_act", run.pk, "give"),
    ]  # fmt: skip
    return [url(page, run.pk) for page in PAGES] + verbs + gates + acting
