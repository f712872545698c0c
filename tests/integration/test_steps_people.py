"""Steps that wait: for a person, for the window, for the statistics of the target itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.engine.outcome import Outcome
from migration_runs.states import StepState
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

CLOCK = "SELECT clock_timestamp() + (clock_timestamp() - '2026-01-01') * 59"
FUNCTIONS = """
CREATE FUNCTION public.old_calc() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION public.new_calc() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END';
"""


# -- confirm


def confirming(**more: Any) -> dict[str, Any]:
    return {**plans.confirm_step("deploy"), "evidence_pattern": r"^build-\d+$", **more}


def test_a_confirmation_is_waited_for_and_kept_with_its_evidence(target: TargetUrls) -> None:
    job, memory, outcome = stepping.run(plans.plan({7: [confirming()]}), target, phase=7)
    assert outcome.status == "waiting"
    assert outcome.waiting is not None
    assert (outcome.waiting.kind, outcome.waiting.look_again_s) == ("confirmation", None)
    assert memory.states["deploy"] == StepState.WAITING
    told = Memory(confirmations={("deploy", False): "build-7"})
    assert runner.run_phase(stepping.again(job), told).status == "finished"
    assert told.results["deploy"]["evidence"] == "build-7"
    assert told.results["deploy"]["person"] == "erin"


def test_evidence_of_the_wrong_form_is_not_taken(target: TargetUrls) -> None:
    job = stepping.job(plans.plan({7: [confirming()]}), target, phase=7)
    outcome = runner.run_phase(job, Memory(confirmations={("deploy", False): "trust me"}))
    assert outcome.status == "failed"
    assert "trust me" in outcome.error


def test_undoing_a_confirmation_asks_a_person_again(target: TargetUrls) -> None:
    plan = plans.plan({7: [confirming(undo_text="the old build runs again")]})
    job = stepping.job(plan, target, phase=7)
    runner.run_phase(job, Memory(confirmations={("deploy", False): "build-7"}))
    outcome = runner.undo_phase(stepping.again(job), Memory())
    assert outcome.status == "waiting"
    assert outcome.waiting is not None
    assert "the old build runs again" in outcome.waiting.text
    told = Memory(confirmations={("deploy", True): "build-6"})
    assert runner.undo_phase(stepping.again(job, token=3), told).status == "finished"
    assert told.states["deploy"] == StepState.UNDONE


def test_what_was_perhaps_done_and_never_confirmed_is_asked_for_too(target: TargetUrls) -> None:
    plan = plans.plan({7: [confirming(undo_text="the old build runs again")]})
    job, _, outcome = stepping.run(plan, target, phase=7)
    assert outcome.status == "waiting"
    assert runner.undo_phase(stepping.again(job), Memory()).status == "waiting"


# -- monitor


def test_the_monitor_waits_until_the_window_is_whole(target: TargetUrls) -> None:
    monitor = {"kind": "monitor", "key": "watch", "title": "watch", "undo_none": "it only looks"}
    job, _, outcome = stepping.run(plans.plan({8: [monitor]}), target, phase=8)
    assert outcome.status == "waiting"
    assert outcome.waiting is not None
    assert outcome.waiting.kind == "window"
    assert runner.run_phase(stepping.again(job), Memory(whole=True)).status == "finished"


# -- observe


def observing(**more: Any) -> dict[str, Any]:
    return {
        "kind": "observe", "key": "seen", "title": "seen", "undo_none": "it only looks",
        "old_functions": ["public.old_calc"], "new_functions": ["public.new_calc"],
        "old_callers": ["old-feed%"], "quiet_s": 30.0, **more,
    }  # fmt: skip


@contextlib.contextmanager
def caller(target: TargetUrls, name: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(target.app_url, application_name=name, autocommit=True) as conn:
        yield conn


def call(target: TargetUrls, function: str, *, name: str = "feed") -> None:
    """One call by a session that ends, and so has handed its counts over."""
    with caller(target, name) as conn:
        conn.execute(f"SELECT public.{function}()".encode())


def look(job: Job, number: int) -> tuple[Memory, Outcome]:
    memory = Memory()
    return memory, runner.run_phase(stepping.again(job, token=number), memory)


@pytest.fixture
def watched(target: TargetUrls) -> Job:
    """A phase that observes, on a clock at sixty times speed: 30 s of quiet are the floor of 2 s."""
    stepping.execute(target, FUNCTIONS)
    return stepping.job(plans.plan({7: [observing()]}, clock_speed=60.0, clock=CLOCK), target, phase=7)


def test_the_switch_is_proven_by_old_calls_that_stop_and_new_ones_that_come(
    target: TargetUrls, watched: Job
) -> None:
    call(target, "old_calc")
    _, first = look(watched, 1)
    assert first.status == "waiting"
    assert first.waiting is not None
    assert "not called yet: public.new_calc" in first.waiting.text
    assert first.waiting.look_again_s is not None
    call(target, "new_calc")
    time.sleep(2.2)
    memory, second = look(watched, 2)
    assert second.status == "finished", second
    assert memory.results["seen"]["grown"] == {"public.new_calc": 1}
    assert memory.results["seen"]["switched_at"]


def test_quiet_time_is_at_least_two_real_seconds(target: TargetUrls, watched: Job) -> None:
    look(watched, 1)
    call(target, "new_calc")
    time.sleep(0.7)  # 42 s of the market's clock, more than the 30 that are asked for
    assert look(watched, 2)[1].status == "waiting"


def test_an_old_call_starts_the_quiet_time_anew_and_is_named(target: TargetUrls, watched: Job) -> None:
    look(watched, 1)
    call(target, "new_calc")
    call(target, "old_calc")
    time.sleep(2.2)
    _, outcome = look(watched, 2)
    assert outcome.waiting is not None
    assert "called again just now: public.old_calc" in outcome.waiting.text
    time.sleep(2.2)
    _, outcome = look(watched, 3)
    assert outcome.waiting is not None
    assert "not called yet: public.new_calc" in outcome.waiting.text
    call(target, "new_calc")
    assert look(watched, 4)[1].status == "finished"


def test_an_old_caller_that_is_still_connected_is_named(target: TargetUrls, watched: Job) -> None:
    with caller(target, "old-feed 7"):
        look(watched, 1)
        call(target, "new_calc")
        time.sleep(2.2)
        _, outcome = look(watched, 2)
    assert outcome.waiting is not None
    assert "old-feed 7 (bars_app, pid" in outcome.waiting.text


def test_nothing_is_proven_while_calls_are_not_counted(target: TargetUrls, watched: Job) -> None:
    with psycopg.connect(target.dsn, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {target.dbname} SET track_functions = 'none'".encode())
    _, outcome = look(watched, 1)
    assert outcome.status == "failed"
    assert "track_functions" in outcome.error


def test_a_new_function_that_does_not_exist_fails(target: TargetUrls) -> None:
    stepping.execute(target, FUNCTIONS)
    plan = plans.plan({7: [observing(new_functions=["public.nowhere(int)"])]})
    _, _, outcome = stepping.run(plan, target, phase=7)
    assert outcome.status == "failed"
    assert "public.nowhere" in outcome.error


def test_undoing_waits_until_the_old_function_is_called_again(target: TargetUrls, watched: Job) -> None:
    look(watched, 1)
    call(target, "new_calc")
    time.sleep(2.2)
    assert look(watched, 2)[1].status == "finished"
    first = runner.undo_phase(stepping.again(watched, token=3), Memory())
    assert first.status == "waiting"
    assert first.waiting is not None
    assert "not called yet: public.old_calc" in first.waiting.text
    call(target, "old_calc")
    time.sleep(2.2)
    memory = Memory()
    assert runner.undo_phase(stepping.again(watched, token=4), memory).status == "finished"
    assert memory.states["seen"] == StepState.UNDONE


# -- snapshot


def test_a_snapshot_keeps_what_it_read(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)
    text = "SELECT count(*) AS rows, 1.5::numeric AS ratio, max(id) AS last FROM public.old_things"
    step = {"kind": "snapshot", "key": "before", "title": "b", "undo_none": "x", "sql": plans.sql_file(text)}
    _, memory, outcome = stepping.run(plans.plan({1: [step]}), target, phase=1)
    assert outcome.status == "finished"
    assert memory.results["before"]["returned"] == [{"rows": 3, "ratio": "1.5", "last": 3}]
