"""``sql`` steps: one file, one transaction, one record; failed leaves nothing, undone comes back."""

from __future__ import annotations

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.states import StepState
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

INSERT = "INSERT INTO public.effects (what) VALUES ('done')"


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)


def test_a_file_is_executed_once_and_recorded_with_its_effect(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("insert", INSERT)]})
    job, memory, outcome = stepping.run(plan, target)
    assert outcome.status == "finished"
    assert memory.states["insert"] == StepState.DONE
    again = runner.run_phase(stepping.again(job), Memory())
    assert again.status == "finished"
    assert stepping.one(target, "SELECT count(*) FROM effects") == 1


def test_a_failed_statement_fails_the_step_and_leaves_nothing(target: TargetUrls) -> None:
    text = f"{INSERT};\nSELECT 1;\nINSERT INTO public.effects (wat) VALUES (1)"
    _, memory, outcome = stepping.run(plans.plan({3: [plans.sql_step("insert", text)]}), target)
    assert outcome.status == "failed"
    assert outcome.step == "insert"
    assert 'test.sql:3: column "wat"' in outcome.error
    assert "42703" in outcome.error
    assert memory.states["insert"] == StepState.FAILED
    assert outcome.kept
    assert outcome.next_step
    assert stepping.one(target, "SELECT count(*) FROM effects") == 0


def test_steps_after_a_failed_one_do_not_run(target: TargetUrls) -> None:
    steps = [plans.sql_step("broken", "SELECT 1/0"), plans.sql_step("insert", INSERT)]
    _, memory, outcome = stepping.run(plans.plan({3: steps}), target)
    assert outcome.step == "broken"
    assert "insert" not in memory.states
    assert stepping.one(target, "SELECT count(*) FROM effects") == 0


@pytest.mark.parametrize(
    ("returned", "verdict"),
    [
        ("false AS success", "success"),
        ("NULL::boolean AS success", "success"),
        ("""'{"success": false, "error": "no rates"}'::jsonb AS answer""", "answer.success"),
        ("""'{"ok": true}'::jsonb AS answer""", "answer.success"),
        ("true AS other", "success"),
    ],
)
def test_a_call_that_says_no_fails_the_step(target: TargetUrls, returned: str, verdict: str) -> None:
    text = f"WITH work AS ({INSERT} RETURNING 1) SELECT {returned}"
    plan = plans.plan({3: [plans.sql_step("call", text, verdict=verdict)]})
    _, _, outcome = stepping.run(plan, target)
    assert outcome.status == "failed"
    assert stepping.one(target, "SELECT count(*) FROM effects") == 0


def test_a_call_that_says_yes_passes_and_its_answer_is_kept(target: TargetUrls) -> None:
    text = """SELECT '{"success": true, "rows": 7}'::jsonb AS answer"""
    plan = plans.plan({3: [plans.sql_step("call", text, verdict="answer.success")]})
    _, memory, outcome = stepping.run(plan, target)
    assert outcome.status == "finished"
    assert memory.results["call"]["returned"] == [{"answer": {"success": True, "rows": 7}}]


def test_a_trial_is_judged_and_leaves_nothing(target: TargetUrls) -> None:
    text = f"WITH work AS ({INSERT} RETURNING 1) SELECT count(*) = 1 AS success FROM work"
    plan = plans.plan({3: [plans.sql_step("trial", text, verdict="success", trial=True)]})
    job, memory, outcome = stepping.run(plan, target)
    assert outcome.status == "finished"
    assert memory.states["trial"] == StepState.DONE
    assert stepping.one(target, "SELECT count(*) FROM effects") == 0
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"


def test_a_file_that_commits_by_itself_is_refused(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("sly", f"{INSERT}; COMMIT; BEGIN")]})
    _, _, outcome = stepping.run(plan, target)
    assert outcome.status == "failed"
    assert "ends the transaction" in outcome.error
    assert "stands" in outcome.kept


def test_parameters_reach_the_file_as_quoted_values(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("insert", "INSERT INTO public.effects (what) VALUES (%(name)s)")]})
    plan = plan.model_copy(update={"parameters": {"name": "it's; DROP TABLE public.effects --"}})
    _, _, outcome = stepping.run(plan, target)
    assert outcome.status == "finished"
    assert stepping.one(target, "SELECT what FROM effects") == "it's; DROP TABLE public.effects --"


def test_a_parameter_without_a_value_is_named(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("insert", "SELECT %(nobody)s")]})
    _, _, outcome = stepping.run(plan, target)
    assert outcome.status == "failed"
    assert "nobody" in outcome.error


def test_a_percent_sign_means_itself_in_a_file_without_parameters(target: TargetUrls) -> None:
    text = "INSERT INTO public.effects (what) SELECT format('%s', 'x') WHERE 'abc' LIKE '%b%'"
    _, _, outcome = stepping.run(plans.plan({3: [plans.sql_step("insert", text)]}), target)
    assert outcome.status == "finished"
    assert stepping.one(target, "SELECT what FROM effects") == "x"


def test_the_session_is_pinned_to_utc_whatever_the_role_says(target: TargetUrls) -> None:
    with psycopg.connect(target.dsn, autocommit=True) as conn:
        conn.execute("ALTER ROLE phasegate_runner SET timezone = 'America/New_York'")
    try:
        text = "SELECT current_setting('TimeZone') = 'UTC' AS ok"
        plan = plans.plan({3: [plans.sql_step("zone", text, verdict="ok")]})
        assert stepping.run(plan, target)[2].status == "finished"
    finally:
        with psycopg.connect(target.dsn, autocommit=True) as conn:
            conn.execute("ALTER ROLE phasegate_runner RESET timezone")


def test_an_undo_file_is_executed_once(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("insert", INSERT, undo="DELETE FROM public.effects")]})
    job, _, _ = stepping.run(plan, target)
    memory = Memory()
    assert runner.undo_phase(stepping.again(job), memory).status == "finished"
    assert memory.states["insert"] == StepState.UNDONE
    assert stepping.one(target, "SELECT count(*) FROM effects") == 0
    stepping.execute(target, INSERT)
    assert runner.undo_phase(stepping.again(job, token=3), Memory()).status == "finished"
    assert stepping.one(target, "SELECT count(*) FROM effects") == 1


def test_a_step_that_failed_is_not_undone(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("insert", "SELECT 1/0", undo="DELETE FROM public.old_things")]})
    job, _, _ = stepping.run(plan, target)
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"
    assert stepping.one(target, "SELECT count(*) FROM old_things") == 3


def test_an_undo_that_fails_says_so_and_is_done_again(target: TargetUrls) -> None:
    steps = [
        plans.sql_step("first", INSERT, undo="DELETE FROM public.effects"),
        plans.sql_step("second", "SELECT 1", undo="SELECT 1 FROM public.not_yet"),
    ]
    job, _, _ = stepping.run(plans.plan({3: steps}), target)
    memory = Memory()
    outcome = runner.undo_phase(stepping.again(job), memory)
    assert outcome.status == "failed"
    assert memory.states["second"] == StepState.UNDO_FAILED
    assert stepping.one(target, "SELECT count(*) FROM effects") == 1
    stepping.execute(target, "CREATE TABLE public.not_yet ()")
    assert runner.undo_phase(stepping.again(job, token=3), Memory()).status == "finished"
    assert stepping.one(target, "SELECT count(*) FROM effects") == 0
