"""A panel with runs in every state that a page has to show, and every page of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import psycopg
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.outcome import Outcome
from migration_runs.models import AuditEvent, Notification
from migration_runs.phases import Role
from migration_runs.selectors import documents
from migration_runs.services import handover, lessons, runs, trail_reading
from tests.control import HOW, Scene, control_plan, make_people, make_person
from tests.integration import panel, trails, verified, windows
from tests.integration.panel import url
from tests.integration.test_bars_pages import COPY

ADMIN, NOBODY = "root", "nora"
Who = Role | str | None
"""A role's person, an account by its name, or nobody logged in."""


def completed() -> Scene:
    """A run whose nine phases are done."""
    scene = Scene.at_phase(9, panel.own_tables(control_plan()))
    scene.go_through(9)
    return scene


def sealed() -> Scene:
    """A run whose retention is over and that was sealed."""
    scene = completed()
    run = scene.run
    run.seal_after = run.completed_at
    run.save()
    runs.seal_run(scene.run_id, person=scene.people[Role.APPROVER], how=HOW)
    return scene


def rolled_back() -> Scene:
    """A run that was rolled back from phase 3."""
    scene = panel.rolling_back()
    scene.work(2)
    scene.work(1)
    return scene


def undo_failed() -> Scene:
    """A run whose rollback stands because an undo failed."""
    scene = panel.rolling_back()
    scene.work(
        2, Outcome(status="failed", step="files_2", error="the target does not answer", next_step="wait")
    )
    return scene


def handed_over() -> Scene:
    """A run in its window whose watch is being handed over, with notes."""
    scene = panel.monitored()
    olga = scene.people[Role.ONCALL]
    handover.write_note(scene.run_id, text="The feed restarted at noon.", person=olga, how=HOW)
    handover.hand_over(scene.run_id, to=make_person("oscar", Role.ONCALL), person=olga, how=HOW)
    return scene


def told() -> Scene:
    """A run with a long name in its trail and a lesson in its documents."""
    scene = panel.held()
    lessons.write_lesson(scene.run_id, text="Ask first.", person=scene.people[Role.DBA], how=HOW)
    trails.tell("x" * 150, "refused.sign", "y" * 190, run=scene.run, detail={"reason": "z" * 400})
    trail_reading.read_when_due()
    return scene


STATES: dict[str, Callable[[], Scene]] = panel.STATES | {
    "completed": completed,
    "sealed": sealed,
    "rolled_back": rolled_back,
    "undo_failed": undo_failed,
    "story": windows.story,
    "told": told,
    "shipped": panel.shipped,
}


@dataclass(frozen=True)
class Shown:
    """The panel at ``url`` with a run for each name of ``STATES``, ``differing`` and ``handed_over``."""

    url: str
    runs: Mapping[str, Scene]

    def session(self, who: Who) -> str:
        """The session of somebody who has logged in."""
        client = Client()
        name = make_people()[who].username if isinstance(who, Role) else who
        client.force_login(User.objects.get(username=name))
        return client.cookies["sessionid"].value


def everything(target: TargetUrls) -> dict[str, Scene]:
    """Runs in every state; bars of which some differ; an administrator, and somebody without a role."""
    make_people()
    make_person(ADMIN, superuser=True)
    make_person(NOBODY)
    dxy = "canonical_symbol = 'DXY' AND timeframe = '1m' AND ts_utc"
    with psycopg.connect(target.app_url, autocommit=True) as conn:
        conn.execute(COPY.encode())
        wrong = "UPDATE data_bars SET close = close + 0.01 WHERE"
        conn.execute(f"{wrong} {dxy} = '2026-03-16 07:30+00'".encode())
        conn.execute(f"DELETE FROM data_bars WHERE {dxy} = '2026-03-16 07:40+00'".encode())
    made = {name: make() for name, make in STATES.items()}
    made["differing"] = verified.differing(target)
    # Last: from now on two people have the role oncall, and a new run would have to name one.
    return made | {"handed_over": handed_over()}


@dataclass(frozen=True)
class Place:
    """A page, who looks at it, with which status it is answered, and whether its colours are looked at."""

    address: Callable[[Shown], str]
    who: Who = Role.DBA
    status: int = 200
    colours: bool = True


def _at(address: str, who: Who = Role.DBA, status: int = 200) -> Place:
    return Place(lambda _: address, who, status)


def _of(state: str, page: str, who: Who = Role.DBA, *more: str | int, query: str = "") -> Place:
    return Place(lambda shown: url(page, shown.runs[state].run_id, *more) + query, who)


def _model(name: str, page: str = "changelist") -> str:
    return reverse(f"admin:{name}_{page}")


def _newest(model: type[AuditEvent | Notification], address: str) -> Callable[[Shown], str]:
    return lambda _: address.format(model._default_manager.latest("pk").pk)


LOOKER = {
    "asking": Role.ENGINEER, "awaiting_approval": Role.APPROVER, "monitored": Role.ONCALL,
    "on_hold": Role.ONCALL, "story": Role.ONCALL, "handed_over": Role.ONCALL, "completed": Role.APPROVER,
    "differing": Role.ONCALL,
}  # fmt: skip
"""Who sees most on the page of a run in this state; the dba elsewhere."""

CHART = "/admin/bars/chart/?symbol={}&timeframe={}&count={}"
TRAIL = "/admin/migration_runs/auditevent/"


def places() -> dict[str, Place]:
    """Every page of the panel, by a name that a failing test is known by."""
    found = {f"start-{role.value}": _at("/admin/", role) for role in Role}
    found |= {f"start-{name}": _at("/admin/", name) for name in (ADMIN, NOBODY)}
    for state in (*STATES, "differing", "handed_over"):
        found[f"run-{state}"] = _of(state, "change", LOOKER.get(state, Role.DBA))
    for state in ("awaiting_approval", "running"):
        found[f"plan-{state}"] = _of(state, "plan", LOOKER.get(state, Role.AUDITOR))
    for state in ("draft", "to_sign", "sealed"):
        found[f"rollback-{state}"] = _of(state, "rollback", Role.ONCALL)
    for state in ("running", "story", "differing"):
        found[f"monitoring-{state}"] = _of(state, "monitoring", Role.ONCALL)
    found["monitoring-hour"] = _of("story", "monitoring", Role.ONCALL, query="?hour=3")
    for state in ("approved", "completed"):
        found[f"readiness-{state}"] = _of(state, "readiness")
    for state in ("handed_over", "story"):
        found[f"handover-{state}"] = _of(state, "handover", Role.ONCALL)
    found["handover-taker"] = _of("handed_over", "handover", "oscar")
    found["documents"] = _of("shipped", "documents")
    for key in documents.DOCUMENTS:
        found[f"document-{key}"] = _of("shipped", "document", Role.DBA, key)
    long = {
        "plan-shipped": _of("shipped", "plan", Role.AUDITOR),
        "document-runbook": found["document-runbook"],
    }
    found |= {name: replace(place, colours=False) for name, place in long.items()}
    found["document-runbook-short"] = _of("told", "document", Role.DBA, "runbook")
    found["document-lessons"] = _of("told", "document", Role.DBA, "index")
    found |= {
        "trail": _at(TRAIL, Role.AUDITOR),
        "trail-nothing": _at(f"{TRAIL}?person=nobody", Role.AUDITOR),
        "trail-wrong": _at(f"{TRAIL}?since=2026-03-02T00:00&until=2026-03-01T00:00", Role.AUDITOR),
        "trail-event": Place(_newest(AuditEvent, TRAIL + "{}/change/"), Role.AUDITOR),
        "trail-run": _of("told", "audit", Role.AUDITOR),
        "bars": _at("/admin/bars/"),
        "bars-series": _at("/admin/bars/series/"),
        "bars-differing": _at(CHART.format("DXY", "1m", 120)),
        "bars-minutes": _at(CHART.format("EURUSD", "1m", 120)),
        "bars-hours": _at(CHART.format("EURUSD", "1h", 60)),
        "messages": _at(_model("migration_runs_notification")),
        "message": Place(_newest(Notification, "/admin/migration_runs/notification/{}/change/")),
        "signatures": _at(_model("migration_runs_signoff")),
        "plans": _at(_model("migration_runs_storedplan")),
        "runs": _at(_model("migration_runs_run")),
        "runs-none": _at(_model("migration_runs_run") + "?q=nothing+like+it"),
        "run-new": _at(_model("migration_runs_run", "add")),
        "act-sign": _of("to_sign", "act", Role.DBA, "sign", query="?gate=phase:2&role=dba"),
        "act-hold": _of("running", "act", Role.ONCALL, "hold"),
        "act-closed": _of("draft", "act", Role.AUDITOR, "hold"),
        "log-in": _at("/admin/login/", None),
        "password": _at("/admin/password_change/"),
        "password-done": _at("/admin/password_change/done/"),
        "accounts": _at("/admin/auth/user/", ADMIN),
        "account": Place(lambda _: f"/admin/auth/user/{User.objects.get(username='dora').pk}/change/", ADMIN),
        "account-new": _at("/admin/auth/user/add/", ADMIN),
        "accounts-app": _at("/admin/auth/", ADMIN),
        "style": _at(_model("migration_runs_run", "style")),
        "forbidden": _at(_model("migration_runs_run", "add"), Role.AUDITOR, 403),
        "not-there": _at("/admin/migration_runs/run/999999/change/", status=404),
    }
    return found
