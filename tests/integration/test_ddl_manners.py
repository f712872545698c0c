"""Changes of definitions among people who read: nobody queues behind us for long, and dumps come first."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.engine.outcome import Outcome
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping
from tests.integration.sessions import Background, wait_until
from tests.integration.stepping import Memory

ADD = "ALTER TABLE public.old_things ADD COLUMN extra int"
DROP = "ALTER TABLE public.old_things DROP COLUMN extra"
FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
WAITING = (
    "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'public.old_things'::regclass AND mode = %s"
)


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)


def altering() -> Plan:
    step = plans.sql_step("alter", ADD, undo=DROP, lock_timeout_ms=400)
    return plans.plan({3: [step]})


def reader(target: TargetUrls, name: str = "reader") -> psycopg.Connection[Any]:
    """A session that has read the table in a transaction that is still open."""
    conn = psycopg.connect(target.app_url, application_name=name)
    conn.execute("SELECT count(*) FROM public.old_things")
    return conn


def test_a_change_gives_way_so_that_readers_behind_it_go_on_while_a_long_one_stays(
    target: TargetUrls,
) -> None:
    job, memory = stepping.job(altering(), target), Memory()
    with (
        reader(target) as long,
        psycopg.connect(target.app_url, autocommit=True) as late,
        psycopg.connect(target.dsn, autocommit=True) as watcher,
    ):
        change = Background(lambda: runner.run_phase(job, memory))
        queued: list[int] = []

        def change_waits() -> bool:
            queued[:] = [row[0] for row in watcher.execute(WAITING, ["AccessExclusiveLock"])]
            return bool(queued)

        wait_until(change_waits, what="the change waits for the long reader")
        reading = Background(lambda: late.execute("SELECT count(*) FROM public.old_things").fetchone())
        # The late reader comes through although the long one has not moved: the change left the queue.
        assert reading.result() == (3,)
        wait_until(lambda: any("a lock was not free" in line for line in memory.logs), what="it gave way")
        assert change.running()
        assert long.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        long.rollback()
        assert change.result().status == "finished"
    assert any("held by reader" in line for line in memory.logs)


def run_with(target: TargetUrls, plan: Plan, *, undo: bool = False, job: Job | None = None) -> Outcome:
    work = runner.undo_phase if undo else runner.run_phase
    return work(job or stepping.job(plan, target, phase=plan_phase(plan)), Memory())


def plan_phase(plan: Plan) -> int:
    return next(p.number for p in plan.runbook.phases if any(s.key != "holds" for s in p.steps))


@pytest.mark.parametrize("what", ["sql", "dual_write"])
def test_a_running_dump_is_waited_for_and_named(target: TargetUrls, what: str) -> None:
    plan = altering() if what == "sql" else plans.plan({4: [FORWARD]})
    job = stepping.job(plan, target, phase=plan_phase(plan))
    with reader(target, "pg_dump") as dump:
        outcome = run_with(target, plan, job=job)
        assert (outcome.status, outcome.waiting is not None and outcome.waiting.kind) == ("waiting", "dump")
        assert outcome.waiting is not None
        assert f"pg_dump (bars_app, pid {dump.info.backend_pid}, for " in outcome.waiting.text
    assert run_with(target, plan, job=stepping.again(job)).status == "finished"
    with reader(target, "pg_dump"):
        assert run_with(target, plan, undo=True, job=stepping.again(job)).status == "waiting"
    assert run_with(target, plan, undo=True, job=stepping.again(job)).status == "finished"


def test_a_dump_under_another_name_is_known_by_what_it_does(target: TargetUrls) -> None:
    plan = altering()
    job = stepping.job(plan, target)
    with psycopg.connect(target.app_url, application_name="nightly") as dump:
        dump.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with dump.cursor().copy("COPY public.old_things (id, body) TO stdout") as rows:
            list(rows)
        outcome = run_with(target, plan, job=job)
        assert outcome.waiting is not None
        assert "nightly (bars_app" in outcome.waiting.text
        dump.rollback()
        assert run_with(target, plan, job=stepping.again(job)).status == "finished"


def test_a_step_that_changes_no_definition_does_not_wait_for_dumps(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("insert", "INSERT INTO public.effects (what) VALUES ('done')")]})
    with reader(target, "pg_dump"):
        assert run_with(target, plan).status == "finished"
