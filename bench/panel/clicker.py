"""``python -m bench.panel.clicker``: starts phases as people do, and waits until workers have ended them."""

from __future__ import annotations

import itertools
import secrets
import statistics
import time

import psycopg

from bench.panel import serving

serving.set_up()

from celery import current_app  # noqa: E402 - only once the settings are loaded

from bench import world as worlds  # noqa: E402
from bench.panel import driving, echo, empty_plan  # noqa: E402

PHASES = range(1, 7)
"""Those that start by a click alone."""

ANSWER_S = 120
_numbers = itertools.count(1)


def round_trips(count: int) -> float:
    """The median seconds from sending a message to hearing its task's answer."""
    taken = []
    for _ in range(count):
        key = secrets.token_hex(8)
        started = time.perf_counter()
        current_app.send_task(echo.NAME, args=[key], queue=echo.QUEUE, ignore_result=True)
        if echo.answers().blpop([key], timeout=ANSWER_S) is None:
            raise TimeoutError("no worker answers")
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def phases(owner_url: str) -> float:
    """The median seconds from the click that starts a phase until it waits for its signature."""
    number = next(_numbers)
    tables = f"public.empty_source_{number}", f"public.empty_target_{number}"
    with psycopg.connect(owner_url) as conn:
        for table in tables:
            conn.execute(worlds.statement("panel_table").format(table=table).encode())
    plan = empty_plan.empty_plan(tables)
    run = driving.approved(plan)
    taken = []
    for phase in PHASES:
        taken.append(driving.start_and_wait(run, phase))
        driving.sign_phase(run, phase, plan)
    return statistics.median(taken)


if __name__ == "__main__":
    serving.serve({"prepare": driving.prepare, "round_trips": round_trips, "phases": phases})
