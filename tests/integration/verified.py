"""Runs whose verification is in each state that a page has to show, made by real passes on a real target."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from controlpanel.embedded_databases import TargetUrls
from migration_runs import advisory, beside
from migration_runs.engine.outcome import Outcome
from migration_runs.models import VerificationPass
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from tests import plans
from tests import runs as tables
from tests.control import NAMES, WINDOW, Scene, control_plan
from tests.processes import CHECKOUT

GIVE_UP_S = 300.0
"""No promise of speed: only so that a broken pass fails the test instead of hanging it."""

SHORT = {
    "key": "short", "title": "Bodies are short", "why": "The old code cuts them at 1,000 characters.",
    "sql": plans.sql_file(
        "SELECT id, length(body) || ' characters' AS detail FROM public.new_things "
        "WHERE length(body) > 1000 AND id BETWEEN coalesce(%(lo)s, id) AND coalesce(%(hi)s, id)",
        path="rules/short.sql",
    ),
    "what_to_do": "Ask who writes bodies that long.",
}  # fmt: skip
NAP = {
    "key": "nap", "title": "Every row has a body",
    "sql": plans.sql_file(
        "SELECT id, '' AS detail FROM (SELECT 0 AS id, clock_timestamp() AS at FROM pg_sleep(1.5)) AS nap "
        "WHERE at < '2000-01-01' AND coalesce(%(lo)s, 0) + coalesce(%(hi)s, 0) IS NOT NULL",
        path="rules/nap.sql",
    ),
}  # fmt: skip
"""Holds always, and takes so long with each bucket that a page can be read in between."""


def plan(*rules: Mapping[str, Any]) -> Plan:
    """The small plan with a day's window and these rules."""
    body = control_plan(hours=24, clock_speed=1.0).model_dump(mode="json")
    body["runbook"]["rules"] = list(rules)
    return Plan.model_validate(body)


def copied(target: TargetUrls, *rules: Mapping[str, Any], rows: int = 50, number: int = 5) -> Scene:
    """A run before phase ``number`` whose two tables are equal."""
    tables.make_tables(target.owner_url, rows=rows)
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("INSERT INTO new_things SELECT * FROM old_things")
    return Scene.at_phase(number, plan(*rules))


def watched(target: TargetUrls, *rules: Mapping[str, Any], rows: int = 50) -> Scene:
    """The same in the window of phase 8."""
    scene = copied(target, *rules, rows=rows, number=8)
    scene.start(8)
    scene.work(8, Outcome(status="waiting", waiting=WINDOW))
    return scene


def damage(target: TargetUrls, *statements: str) -> None:
    """Change the target's rows past everything."""
    with psycopg.connect(target.owner_url) as conn:
        for statement in statements:
            conn.execute(statement.encode())


MISSING, EXTRA = "DELETE FROM new_things WHERE id = 9", "INSERT INTO new_things VALUES (900, 'new here')"
ALTERED = "UPDATE new_things SET body = 'other' WHERE id = 7"
WITHOUT_BODY = "UPDATE new_things SET body = '' WHERE id = 8"
LONG = "UPDATE new_things SET body = repeat('abcdefghij', 130) || 'X' WHERE id = 12"
LONG_BEFORE = "UPDATE old_things SET body = repeat('abcdefghij', 130) || 'Y' WHERE id = 12"


def differing(target: TargetUrls) -> Scene:
    """In phase 8, verified clean once, then damaged in every way, and verified again."""
    scene = watched(target, SHORT)
    beside.verify_run(scene.run_id)
    damage(target, MISSING, EXTRA, ALTERED, WITHOUT_BODY, LONG_BEFORE, LONG)
    beside.verify_run(scene.run_id)
    return scene


def in_trouble(target: TargetUrls) -> Scene:
    """In phase 8, with a table that has gone."""
    scene = watched(target)
    beside.verify_run(scene.run_id)
    damage(target, "ALTER TABLE new_things RENAME TO elsewhere")
    beside.verify_run(scene.run_id)
    return scene


@contextmanager
def comparing(scene: Scene, env: Mapping[str, str], *, buckets: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that verifies the run; it has compared so many buckets when the block begins."""
    command = [sys.executable, "manage.py", "verify", str(scene.run_id), "--as", NAMES[Role.DBA]]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + GIVE_UP_S
        now = VerificationPass.objects.filter(run=scene.run_id, finished_at=None, buckets_done__gte=buckets)
        while not now.exists():
            assert process.poll() is None, "the verification ended before it could be looked at"
            assert time.monotonic() < until, "the verification compares nothing"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def lose(process: subprocess.Popen[bytes], scene: Scene) -> None:
    """Kill the process that verifies, as a host that loses power does."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + GIVE_UP_S
    while advisory.is_taken("verify", scene.run_id):  # the server notices the end of the session
        assert time.monotonic() < until, "the dead process still holds its lock"
        time.sleep(0.05)
