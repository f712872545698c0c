"""The runner: resumable from the ledger, fenced, deaf to nobody, and undone last first."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import attempts, bookkeeping, connection, ledger, runner
from migration_runs.engine.job import Job
from migration_runs.exceptions import Fenced, LeaseLost
from migration_runs.states import StepState
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

SLEEPERS = (
    "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND application_name LIKE 'phasegate/%' "
    "AND datname = current_database()"
)
CHECKOUT = Path(__file__).parents[2]
WORKER = """
import pickle, sys
from migration_runs.engine import runner
from tests.integration.stepping import Memory
job = pickle.loads(sys.stdin.buffer.read())
print(runner.run_phase(job, Memory()).status)
"""


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)


def effect(what: str) -> str:
    return f"INSERT INTO public.effects (what) VALUES ('{what}')"


def effects(target: TargetUrls) -> list[str]:
    with psycopg.connect(target.owner_url) as conn:
        return [row[0] for row in conn.execute("SELECT what FROM public.effects ORDER BY id")]


@contextlib.contextmanager
def worker_process(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own; killed when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert process.stdin is not None
    try:
        process.stdin.write(pickle.dumps(job))
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_until(target: TargetUrls, query: str, *, seconds: float = 30) -> None:
    """Poll a query as the superuser until it is true."""
    until = time.monotonic() + seconds
    with psycopg.connect(target.dsn, autocommit=True) as conn:
        while time.monotonic() < until:
            row = conn.execute(query.encode()).fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.05)
    raise AssertionError(f"never became true: {query}")


def test_steps_run_in_order_and_a_finished_phase_is_not_run_again(target: TargetUrls) -> None:
    steps = [plans.sql_step("a", effect("a")), plans.sql_step("b", effect("b"))]
    job, memory, outcome = stepping.run(plans.plan({3: steps}), target)
    assert outcome.status == "finished"
    assert [key for key, state in memory.order if state == StepState.DONE] == ["a", "b"]
    later = Memory()
    assert runner.run_phase(stepping.again(job), later).status == "finished"
    assert effects(target) == ["a", "b"]
    assert later.states == {"a": StepState.DONE, "b": StepState.DONE}


def test_a_retry_after_a_failure_keeps_the_steps_before_it(target: TargetUrls) -> None:
    steps = [
        plans.sql_step("a", effect("a")),
        plans.sql_step("b", "INSERT INTO public.not_yet DEFAULT VALUES"),
    ]
    job, _, outcome = stepping.run(plans.plan({3: steps}), target)
    assert (outcome.status, outcome.step) == ("failed", "b")
    stepping.execute(target, "CREATE TABLE public.not_yet (at timestamptz DEFAULT now())")
    assert runner.run_phase(stepping.again(job), Memory()).status == "finished"
    assert effects(target) == ["a"]


def test_the_intent_is_in_the_ledger_before_the_effect(target: TargetUrls) -> None:
    text = f"{effect('a')}; SELECT state = 'intent' AS ok FROM phasegate.step WHERE step_key = 'a'"
    plan = plans.plan({3: [plans.sql_step("a", text, verdict="ok")]})
    assert stepping.run(plan, target)[2].status == "finished"


def test_a_worker_killed_in_mid_step_leaves_nothing_and_the_next_one_does_it_once(target: TargetUrls) -> None:
    steps = [
        plans.sql_step("a", effect("a")),
        plans.sql_step("b", f"{effect('b')}; SELECT pg_sleep(1.5)"),
        plans.sql_step("c", effect("c")),
    ]
    job = stepping.job(plans.plan({3: steps}), target)
    with worker_process(job) as process:
        wait_until(
            target,
            f"SELECT count(*) = 1 {SLEEPERS}",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert effects(target) == ["a"]
        outcome = runner.run_phase(stepping.again(job), Memory())
    assert outcome.status == "finished", outcome.error
    assert effects(target) == ["a", "b", "c"]


def test_a_worker_killed_between_effect_and_report_is_not_repeated(target: TargetUrls) -> None:
    """The effect and its record are one transaction: what the control side missed, the ledger knows."""
    job = stepping.job(plans.plan({3: [plans.sql_step("a", effect("a"))]}), target)

    def die(key: str, state: StepState) -> None:
        if state == StepState.DONE:
            raise LeaseLost("gone before it could tell")

    with pytest.raises(LeaseLost):
        runner.run_phase(job, Memory(on_step=die))
    memory = Memory()
    assert runner.run_phase(stepping.again(job), memory).status == "finished"
    assert memory.states == {"a": StepState.DONE}
    assert effects(target) == ["a"]


def test_a_zombie_worker_writes_nothing(target: TargetUrls) -> None:
    job = stepping.job(
        plans.plan({3: [plans.sql_step("a", effect("a")), plans.sql_step("b", effect("b"))]}), target
    )

    def overtaken(key: str, state: StepState) -> None:
        if (key, state) == ("a", StepState.DONE):
            with connection.connect_job(job) as conn:
                ledger.ensure(conn, stepping.again(job))

    with pytest.raises(Fenced):
        runner.run_phase(job, Memory(on_step=overtaken))
    assert effects(target) == ["a"]


def test_a_pause_is_obeyed_between_steps(target: TargetUrls) -> None:
    job = stepping.job(
        plans.plan({3: [plans.sql_step("a", effect("a")), plans.sql_step("b", effect("b"))]}), target
    )
    memory = Memory()

    def ask(key: str, state: StepState) -> None:
        memory.stop = memory.stop or (key, state) == ("a", StepState.DONE)

    memory.on_step = ask
    outcome = runner.run_phase(job, memory)
    assert (outcome.status, outcome.step) == ("paused", "b")
    assert effects(target) == ["a"]
    assert runner.run_phase(stepping.again(job), Memory()).status == "finished"
    assert effects(target) == ["a", "b"]


def test_a_statement_cancelled_by_a_pause_pauses_and_by_anything_else_fails(target: TargetUrls) -> None:
    job = stepping.job(plans.plan({3: [plans.sql_step("a", f"{effect('a')}; SELECT pg_sleep(30)")]}), target)
    for stop, expected in ((True, "paused"), (False, "failed")):
        memory = Memory()

        def cancel(memory: Memory = memory, stop: bool = stop) -> None:
            wait_until(target, f"SELECT count(*) > 0 {SLEEPERS}")
            memory.stop = stop
            with psycopg.connect(target.dsn, autocommit=True) as conn:
                conn.execute(f"SELECT pg_cancel_backend(pid) {SLEEPERS}".encode())

        thread = threading.Thread(target=cancel)
        thread.start()
        outcome = runner.run_phase(stepping.again(job, token=2), memory)
        thread.join()
        assert outcome.status == expected
    assert effects(target) == []


def test_a_lock_that_is_not_free_is_tried_again(target: TargetUrls) -> None:
    step = plans.sql_step("a", "ALTER TABLE public.old_things ADD COLUMN kind text", lock_timeout_ms=50)
    job = stepping.job(plans.plan({3: [step]}), target)
    memory = Memory()
    with psycopg.connect(target.owner_url, application_name="somebody") as holder:
        holder.execute("LOCK TABLE public.old_things IN ACCESS SHARE MODE")
        memory.on_beat = lambda: holder.rollback() if len(memory.logs) >= 3 else None
        outcome = runner.run_phase(job, memory)
    assert outcome.status == "finished", outcome.error
    assert sum("a lock was not free" in line for line in memory.logs) >= 3
    assert any("held by somebody (bars_owner, pid" in line for line in memory.logs)


def test_a_lock_that_never_comes_free_fails_the_step_naming_its_holder(
    target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MOST_YIELDS", 3)
    step = plans.sql_step("a", "ALTER TABLE public.old_things ADD COLUMN kind text", lock_timeout_ms=50)
    job = stepping.job(plans.plan({3: [step]}), target)
    with psycopg.connect(target.owner_url, application_name="somebody") as holder:
        holder.execute("LOCK TABLE public.old_things IN ACCESS SHARE MODE")
        outcome = runner.run_phase(job, Memory())
    assert outcome.status == "failed"
    assert "somebody (bars_owner, pid" in outcome.error
    assert "3 times in a row" in outcome.error
    assert runner.run_phase(stepping.again(job), Memory()).status == "finished"


def test_a_person_may_stop_while_a_lock_is_waited_for(target: TargetUrls) -> None:
    step = plans.sql_step("a", "ALTER TABLE public.old_things ADD COLUMN kind text", lock_timeout_ms=50)
    job = stepping.job(plans.plan({3: [step]}), target)
    memory = Memory()

    def stop_at_the_second_try() -> None:
        memory.stop = len(memory.logs) >= 2

    memory.on_beat = stop_at_the_second_try
    with psycopg.connect(target.owner_url) as holder:
        holder.execute("LOCK TABLE public.old_things IN ACCESS SHARE MODE")
        assert runner.run_phase(job, memory).status == "paused"


def test_a_session_that_is_ended_is_replaced_and_the_step_done_once(target: TargetUrls) -> None:
    text = f"{effect('a')}; SELECT pg_sleep(30) WHERE NOT EXISTS (SELECT 1 FROM public.new_things)"
    job = stepping.job(plans.plan({3: [plans.sql_step("a", text)]}), target)

    def end_it() -> None:
        wait_until(target, f"SELECT count(*) > 0 {SLEEPERS}")
        with psycopg.connect(target.dsn, autocommit=True) as conn:
            conn.execute("INSERT INTO public.new_things VALUES (1, 'now quick')")
            conn.execute(f"SELECT pg_terminate_backend(pid) {SLEEPERS}".encode())

    thread = threading.Thread(target=end_it)
    thread.start()
    memory = Memory()
    outcome = runner.run_phase(job, memory)
    thread.join()
    assert outcome.status == "finished", outcome.error
    assert any("the target went away" in line for line in memory.logs)
    assert effects(target) == ["a"]


def _let_nobody_in(target: TargetUrls, *, limit: int = 0) -> None:
    """As a restart does, but for superusers: nobody comes in, and who was in is out. ``limit=-1`` ends it."""
    with psycopg.connect(target.dsn, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {target.dbname} CONNECTION LIMIT {limit}".encode())
        conn.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _back_after_two_looks(target: TargetUrls, memory: Memory) -> None:
    looks = [0]

    def look() -> None:
        looks[0] += 1
        if looks[0] == 2:
            _let_nobody_in(target, limit=-1)

    memory.on_beat = look


def test_a_target_that_is_away_when_a_phase_is_taken_up_is_waited_for(target: TargetUrls) -> None:
    job = stepping.job(plans.plan({3: [plans.sql_step("a", effect("a"), undo=effect("undone a"))]}), target)
    for carry_out in (runner.run_phase, runner.undo_phase):
        memory = Memory()
        _let_nobody_in(target)
        _back_after_two_looks(target, memory)
        outcome = carry_out(job, memory)
        assert outcome.status == "finished", outcome.error
        assert any("the target has no connection left" in line for line in memory.logs)
    assert effects(target) == ["a", "undone a"]


@pytest.mark.parametrize("state", [StepState.RUNNING, StepState.DONE])
def test_a_target_that_is_away_between_two_steps_is_waited_for(target: TargetUrls, state: StepState) -> None:
    """Away just before the intent of the first step is written, and just before that of the second."""
    steps = [plans.sql_step("a", effect("a")), plans.sql_step("b", effect("b"))]
    job, memory = stepping.job(plans.plan({3: steps}), target), Memory()

    def away(key: str, reached: StepState) -> None:
        if (key, reached) == ("a", state):
            _let_nobody_in(target)
            _back_after_two_looks(target, memory)

    memory.on_step = away
    outcome = runner.run_phase(job, memory)
    assert outcome.status == "finished", outcome.error
    assert effects(target) == ["a", "b"]


def test_a_target_that_is_away_when_a_step_is_to_be_called_done_is_waited_for(
    target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, memory = stepping.job(plans.plan({3: [plans.sql_step("a", effect("a"))]}), target), Memory()
    finish = bookkeeping.finish

    def away(*args: Any) -> None:
        _let_nobody_in(target)
        _back_after_two_looks(target, memory)
        finish(*args)

    monkeypatch.setattr(bookkeeping, "finish", away)
    assert runner.run_phase(job, memory).status == "finished"
    assert effects(target) == ["a"]


def test_a_phase_may_be_stopped_while_its_target_is_away(target: TargetUrls) -> None:
    job, memory = stepping.job(plans.plan({3: [plans.sql_step("a", effect("a"))]}), target), Memory(stop=True)
    _let_nobody_in(target)
    assert runner.run_phase(job, memory).status == "paused"


def test_a_target_that_stays_away_fails_the_phase(
    target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "OUTAGE_S", 1.0)
    _let_nobody_in(target)
    _, memory, outcome = stepping.run(plans.plan({3: [plans.sql_step("a", effect("a"))]}), target)
    assert outcome.status == "failed"
    assert "the target has no connection left" in outcome.error
    assert len(memory.logs) >= 1


def test_a_target_that_cannot_be_reached_fails_with_the_reason_and_without_the_url(
    target: TargetUrls,
) -> None:
    known = psycopg.conninfo.conninfo_to_dict(target.runner_url)
    url = psycopg.conninfo.make_conninfo("", **{**known, "password": "not-this-one"})
    wrong = dataclasses.replace(target, runner_url=url)
    _, _, outcome = stepping.run(plans.plan(), wrong)
    assert outcome.status == "failed"
    assert "password" in outcome.error
    assert "not-this-one" not in outcome.error


def test_a_clock_of_another_speed_than_the_plans_stops_the_first_phase(target: TargetUrls) -> None:
    _, _, outcome = stepping.run(plans.plan(clock_speed=60.0), target, phase=1)
    assert outcome.status == "failed"
    assert "approved for 60" in outcome.error
    fast = "SELECT clock_timestamp() + (clock_timestamp() - '2026-01-01') * 59"
    assert stepping.run(plans.plan(clock_speed=60.0, clock=fast), target, phase=1)[2].status == "finished"


def test_undoing_goes_last_first_and_a_killed_undo_goes_on(target: TargetUrls) -> None:
    steps = [
        plans.sql_step("a", effect("a"), undo=effect("undone a")),
        plans.sql_step("b", effect("b"), undo=effect("undone b")),
    ]
    job, _, _ = stepping.run(plans.plan({3: steps}), target)

    def die(key: str, state: StepState) -> None:
        if (key, state) == ("b", StepState.UNDONE):
            raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        runner.undo_phase(stepping.again(job), Memory(on_step=die))
    assert effects(target) == ["a", "b", "undone b"]
    memory = Memory()
    assert runner.undo_phase(stepping.again(job, token=3), memory).status == "finished"
    assert effects(target) == ["a", "b", "undone b", "undone a"]


def test_a_phase_that_never_ran_is_undone_at_once(target: TargetUrls) -> None:
    job = stepping.job(plans.plan({3: [plans.sql_step("a", effect("a"), undo=effect("undone a"))]}), target)
    assert runner.undo_phase(job, Memory()).status == "finished"
    assert effects(target) == []
    assert stepping.one(target, "SELECT to_regnamespace('phasegate') IS NULL")


def test_the_old_code_is_asked_for_before_it_is_looked_for() -> None:
    steps = [
        {**plans.confirm_step("deploy"), "undo_text": "the old code runs again"},
        {
            "kind": "observe", "key": "seen", "title": "seen", "undo_none": "it only looks",
            "old_functions": ["public.old"], "new_functions": ["public.new"],
        },
        plans.assert_step("last"),
    ]  # fmt: skip
    ordered = runner.undo_order(plans.plan({7: steps}).runbook.phase(7).steps)
    assert [step.key for step in ordered] == ["last", "deploy", "seen"]


def test_an_index_built_concurrently_survives_a_kill(target: TargetUrls) -> None:
    """A killed build leaves an invalid index; the next worker drops it and builds it whole."""
    step = plans.sql_step(
        "index",
        "CREATE INDEX CONCURRENTLY by_body ON public.old_things (body)",
        undo="DROP INDEX CONCURRENTLY public.by_body",
        transaction=False,
    )
    job = stepping.job(plans.plan({3: [step]}), target)
    valid = "SELECT bool_and(indisvalid) FROM pg_index WHERE indexrelid = to_regclass('public.by_body')"
    with psycopg.connect(target.owner_url) as writer:
        writer.execute("INSERT INTO public.old_things VALUES (100, 'not committed')")
        with worker_process(job) as process:
            wait_until(
                target,
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' "
                "AND wait_event_type = 'Lock'",
            )
            process.send_signal(signal.SIGKILL)
            process.wait()
            wait_until(
                target,
                "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' "
                "AND state = 'active' AND pid <> pg_backend_pid()",
            )
    assert stepping.one(target, valid) is False
    memory = Memory()
    outcome = runner.run_phase(stepping.again(job), memory)
    assert outcome.status == "finished", outcome.error
    assert any("invalid leftover" in line for line in memory.logs)
    assert stepping.one(target, valid) is True
    assert runner.undo_phase(stepping.again(job, token=3), Memory()).status == "finished"
    assert stepping.one(target, "SELECT to_regclass('public.by_body') IS NULL")


def test_an_index_that_was_never_built_needs_no_undo(target: TargetUrls) -> None:
    step = plans.sql_step(
        "index",
        "CREATE INDEX CONCURRENTLY by_body ON public.old_things (nothing)",
        undo="DROP INDEX CONCURRENTLY public.by_body",
        transaction=False,
    )
    job, _, outcome = stepping.run(plans.plan({3: [step]}), target)
    assert outcome.status == "failed"
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"


def test_a_successor_waits_for_the_statement_of_its_predecessor(target: TargetUrls) -> None:
    """A build outside a transaction cannot carry the token; the session lock keeps two apart."""
    step = plans.sql_step(
        "index",
        "CREATE INDEX CONCURRENTLY by_body ON public.old_things (body)",
        undo="DROP INDEX CONCURRENTLY public.by_body",
        transaction=False,
    )
    job = stepping.job(plans.plan({3: [step]}), target)
    memory = Memory()
    with connection.connect_job(job) as predecessor:
        key = f"phasegate:{job.run_uid}:outside"
        predecessor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])

        def end_it() -> None:
            if any("earlier worker" in line for line in memory.logs):
                predecessor.close()

        memory.on_beat = end_it
        outcome = runner.run_phase(stepping.again(job), memory)
    assert outcome.status == "finished", outcome.error
    assert any("earlier worker" in line for line in memory.logs)
