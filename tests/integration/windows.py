"""Monitoring windows in every state: hours pass at a word, and checks find what a test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connections

from migration_runs.engine import calendar
from migration_runs.engine.outcome import CheckOutcome, Outcome
from migration_runs.models import DueCheck
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import checks, fleet, runs
from tests import plans
from tests.control import HOW, WINDOW, Scene, control_plan
from tests.integration import panel

FRIDAY = datetime(2026, 3, 6, 6, 10, tzinfo=UTC)
"""Market time at which a window begins; its market closes 16 hours later."""
SESSIONS = [{"opens": "Sun 22:00", "closes": "Fri 22:00"}]
SQL = "SELECT 1 AS value, '' AS detail"
CHECKS = (
    plans.check(
        "fresh", SQL, passes={"below": 300}, warns={"below": 600}, unit="seconds", when_closed="lag",
        closed_sql=plans.sql_file(SQL), closed_pass={"below": 300}, what_to_do="Look at the feed.",
    ) | {"title": "Bars are fresh"},
    plans.check("price", SQL, passes={"at_least": 80, "at_most": 120}, unit="price")
    | {"title": "Price lies between 80 and 120"},
    plans.check("errors", SQL, passes={"equals": 0}, unit="count")
    | {"title": "No new error", "shows": {"title": "Bars written", "unit": "count"}},
)  # fmt: skip
MONITOR = {"kind": "monitor", "key": "watch", "title": "watch", "undo_none": "only looks"}
WAITS = Outcome(status="waiting", waiting=WINDOW)


def watched_plan(*, min_open_checks: int = 12, clock_speed: float = 1.0, **more: Any) -> Plan:
    """A plan with three checks of three units, whose market closes on Friday evening."""
    given: dict[str, Any] = {"hours": 24, "clock_speed": clock_speed, "checks": CHECKS} | more
    body = control_plan({8: [MONITOR]}, **given).model_dump(mode="json")
    body["runbook"]["window"] |= {"sessions": SESSIONS, "min_open_checks": min_open_checks}
    return panel.own_tables(Plan.model_validate(body))


def watched(plan: Plan | None = None) -> Scene:
    """A run whose window has just begun."""
    scene = Scene.at_phase(8, plan or watched_plan())
    scene.start(8)
    scene.work(8, WAITS)
    return scene


def let_time_pass(run_id: int, interval: str) -> None:
    """Move the run's windows back, as if ``interval`` had passed. Due times are fixed: triggers rest."""
    tables = ("migration_runs_duecheck", "migration_runs_monitoringwindow")
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        owner.execute(
            "UPDATE migration_runs_duecheck SET due_at = due_at - %(by)s::interval, "
            "late_after = late_after - %(by)s::interval, finished_at = finished_at - %(by)s::interval "
            "WHERE window_id IN (SELECT id FROM migration_runs_monitoringwindow WHERE run_id = %(run)s)",
            {"by": interval, "run": run_id},
        )
        owner.execute(
            "UPDATE migration_runs_monitoringwindow SET started_at = started_at - %(by)s::interval, "
            "ended_at = ended_at - %(by)s::interval WHERE run_id = %(run)s",
            {"by": interval, "run": run_id},
        )
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())


def owner_url() -> str:
    """The control database as its owner."""
    given = connections["owner"].settings_dict
    place = f"{given['HOST']}:{given['PORT']}/{given['NAME']}"
    return f"postgresql://{given['USER']}:{given['PASSWORD']}@{place}"


def an_hour(scene: Scene, *, fresh: float = 90, price: float = 103.5, errors: float = 0) -> str:
    """An hour passes and the checks that are due find these values; the worst verdict."""
    let_time_pass(scene.run_id, "1 hour")
    fleet.beat()  # workers are there
    found = []
    values = {"fresh": fresh, "price": price, "errors": errors}
    while (due := checks.begin_next(scene.run_id)) is not None:
        outcome = _outcome(due, values[due.check_key])
        assert checks.record_check(due.pk, outcome)
        found.append(str(outcome.verdict))
    return min(found, key=("fail", "warn", "closed", "pass").index)


def hours(scene: Scene, count: int, **values: float) -> None:
    """So many hours pass."""
    for number in range(count):
        an_hour(scene, **({"fresh": 60 + 7 * (number % 5), "price": 103 + (number % 7) / 10} | values))


def missed(scene: Scene) -> None:
    """The next checks are due, nobody makes them, and their time runs out."""
    let_time_pass(scene.run_id, "80 minutes")
    assert checks.mark_missed()
    let_time_pass(scene.run_id, "-20 minutes")


def resumed(scene: Scene) -> None:
    """The cause is gone: a fresh window begins."""
    runs.resume_run(scene.run_id, person=scene.people[Role.ONCALL], how=HOW)
    scene.work(8, WAITS)


def whole(scene: Scene) -> None:
    """24 hours without a fault, and the worker that finds the window whole."""
    hours(scene, 24)
    scene.work(8)


def story() -> Scene:
    """A first window that failed at hour 7, two checks during the hold, and 17 hours of a second one."""
    scene = watched()
    hours(scene, 3)
    an_hour(scene, fresh=400)
    hours(scene, 2)
    assert an_hour(scene, fresh=840) == "fail"
    missed(scene)
    an_hour(scene)
    resumed(scene)
    hours(scene, 6)
    an_hour(scene, fresh=372)
    hours(scene, 10)
    return scene


def _outcome(due: DueCheck, value: float) -> CheckOutcome:
    """What the plan's rules make of a value at the check's market time."""
    now = FRIDAY + timedelta(hours=due.round)
    is_open = calendar.is_open(Plan.from_json(due.window.run.plan.body).runbook.window.sessions, now)
    verdict: Any = "pass"
    bound = "pass below 300 s; warn below 600 s"
    if due.check_key == "fresh":
        verdict = "pass" if value < 300 else "warn" if value < 600 else "fail"
        verdict = "closed" if not is_open and verdict == "pass" else verdict
        value = value if is_open else 0.0
    elif due.check_key == "errors":
        verdict, bound = ("pass" if value == 0 else "fail"), "pass equal to 0"
    return CheckOutcome(
        check=due.check_key, verdict=verdict, value=value, detail="measured by the test", bound=bound,
        market_now=now, market_open=is_open, seconds=0.01,
        shown=60.0 - due.round % 3 if due.check_key == "errors" else None,
    )  # fmt: skip
