"""``rehearse_sql``: whatever a file of the plan would break, breaks in the scratch database first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.outcome import Outcome
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

REHEARSE = {"kind": "rehearse_sql", "key": "rehearse", "title": "rehearse", "undo_none": "it only reads"}
ADD = "ALTER TABLE public.old_things ADD COLUMN kind text"
DROP = "ALTER TABLE public.old_things DROP COLUMN kind"
CHUNKS = {"kind": "copy", "key": "chunks", "title": "chunks", "part": "chunks"}


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=20)


def rehearse(
    target: TargetUrls, scratch: TargetUrls, steps: list[dict[str, Any]], *, phase: int = 3, **more: Any
) -> tuple[Memory, Outcome]:
    plan = plans.plan({1: [REHEARSE], phase: steps}, **more)
    job = stepping.job(plan, target, phase=1, scratch=scratch, backup_dir=Path("/nonexistent"))
    memory = Memory()
    return memory, runner.run_phase(job, memory)


def asking(text: str) -> dict[str, Any]:
    """Settings of a copy that asks this load query."""
    return {"load_sql": plans.sql_file(text, path="queue.sql"), "max_load": 5}


def schema_of(target: TargetUrls) -> Any:
    return stepping.one(
        target,
        "SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute "
        "WHERE attrelid = 'public.old_things'::regclass AND attnum > 0 AND NOT attisdropped",
    )


def test_a_plan_that_runs_is_rehearsed_with_its_undo_and_the_target_stays(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    before = schema_of(target)
    steps = [
        plans.sql_step("add", ADD, undo=DROP),
        plans.sql_step("fill", "UPDATE public.old_things SET kind = 'x'", undo="SELECT 1"),
    ]
    memory, outcome = rehearse(target, scratch, steps)
    assert outcome.status == "finished", outcome.error
    assert memory.results["rehearse"]["sample_rows"] == 20
    assert schema_of(target) == before


def test_a_column_that_does_not_exist_is_found_before_anything_changes(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    _, outcome = rehearse(
        target, scratch, [plans.sql_step("late", "SELECT 1,\n  nothing FROM public.old_things")]
    )
    assert outcome.status == "failed"
    assert "phase 3, step late: test.sql:2" in outcome.error
    assert "nothing" in outcome.error
    assert "target" in outcome.kept


def test_an_assertion_names_columns_too(target: TargetUrls, scratch: TargetUrls) -> None:
    step = plans.assert_step("late", "SELECT nothing IS NULL AS ok, 'x' AS message FROM public.old_things")
    _, outcome = rehearse(target, scratch, [step])
    assert "step late" in outcome.error


def test_an_assertion_that_does_not_hold_on_a_sample_is_no_failure(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    step = plans.assert_step("many", "SELECT count(*) > 1000000 AS ok, 'x' AS message FROM public.old_things")
    _, outcome = rehearse(target, scratch, [step])
    assert outcome.status == "finished", outcome.error


def test_an_undo_that_cannot_run_is_found(target: TargetUrls, scratch: TargetUrls) -> None:
    wrong = "ALTER TABLE public.old_things DROP COLUMN kinds"
    _, outcome = rehearse(target, scratch, [plans.sql_step("add", ADD, undo=wrong)])
    assert outcome.status == "failed"
    assert "undoing add" in outcome.error


def test_steps_out_of_order_are_found(target: TargetUrls, scratch: TargetUrls) -> None:
    steps = [
        plans.sql_step("fill", "UPDATE public.old_things SET kind = 'x'", undo="SELECT 1"),
        plans.sql_step("add", ADD, undo=DROP),
    ]
    _, outcome = rehearse(target, scratch, steps)
    assert "step fill" in outcome.error


def test_a_repair_of_what_is_in_order_is_tried_and_taken_back(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    step = {
        **plans.assert_step(),
        "repair": plans.sql_file(ADD),
        "undo": plans.sql_file(DROP),
        "undo_none": None,
    }
    again = plans.sql_step("add", ADD, undo=DROP)
    _, outcome = rehearse(target, scratch, [step, again])
    assert outcome.status == "finished", outcome.error
    broken = {**step, "repair": plans.sql_file("ALTER TABLE public.old_things ADD CHECK (nothing > 0)")}
    _, outcome = rehearse(target, scratch, [broken])
    assert "step holds" in outcome.error


def test_a_check_of_the_window_is_rehearsed(target: TargetUrls, scratch: TargetUrls) -> None:
    check = plans.check("fresh", "SELECT nothing AS value FROM public.old_things", passes={"below": 1})
    monitor = {"kind": "monitor", "key": "watch", "title": "watch", "undo_none": "it only looks"}
    _, outcome = rehearse(target, scratch, [monitor], phase=8, checks=[check])
    assert outcome.status == "failed"
    assert "nothing" in outcome.error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT nothing FROM public.old_things", "nothing"),
        ("SELECT count(*), 1 FROM public.old_things", "must return one number"),
        ("SELECT NULL::int", "must return one number"),
        ("DELETE FROM public.old_things RETURNING 1", "read-only transaction"),
    ],
)
def test_the_load_query_of_the_copy_is_rehearsed(
    target: TargetUrls, scratch: TargetUrls, text: str, said: str
) -> None:
    _, outcome = rehearse(target, scratch, [CHUNKS], phase=4, copying=asking(text))
    assert outcome.status == "failed"
    assert "phase 4, step chunks: queue.sql" in outcome.error
    assert said in outcome.error


def test_a_load_query_that_answers_is_one_execution_more(target: TargetUrls, scratch: TargetUrls) -> None:
    without, _ = rehearse(target, scratch, [CHUNKS], phase=4)
    query = asking("SELECT count(*) FROM public.old_things")
    memory, outcome = rehearse(target, scratch, [CHUNKS], phase=4, copying=query)
    assert outcome.status == "finished", outcome.error
    before = without.results["rehearse"]["executions"]
    assert memory.results["rehearse"]["executions"] == before + 1


def test_an_index_is_built_concurrently_in_the_rehearsal_too(target: TargetUrls, scratch: TargetUrls) -> None:
    step = plans.sql_step(
        "index",
        "CREATE INDEX CONCURRENTLY by_body ON public.old_things (body)",
        undo="DROP INDEX CONCURRENTLY public.by_body",
        transaction=False,
    )
    _, outcome = rehearse(target, scratch, [step])
    assert outcome.status == "finished", outcome.error


def test_sequences_do_not_give_sampled_ids_again(target: TargetUrls, scratch: TargetUrls) -> None:
    stepping.execute(target, "INSERT INTO public.effects (what) SELECT 'x' FROM generate_series(1, 50)")
    plan = plans.plan(
        {1: [REHEARSE], 3: [plans.sql_step("more", "INSERT INTO public.effects (what) VALUES ('y')")]}
    )
    book = plan.runbook.model_copy(update={"tables": (*plan.runbook.tables, "public.effects")})
    whole: Plan = plan.model_copy(update={"runbook": book})
    outcome = runner.run_phase(stepping.job(whole, target, phase=1, scratch=scratch), Memory())
    assert outcome.status == "finished", outcome.error


def test_a_foreign_key_into_a_sampled_table_holds_in_the_rehearsal(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    stepping.execute(
        target,
        "ALTER TABLE public.new_things ADD CONSTRAINT of_old FOREIGN KEY (id) REFERENCES public.old_things",
    )
    step = plans.sql_step("drop", "ALTER TABLE public.new_things DROP CONSTRAINT of_old", undo="SELECT 1")
    _, outcome = rehearse(target, scratch, [step])
    assert outcome.status == "finished", outcome.error


def test_the_scratch_database_is_left_empty_even_after_a_failure(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    rehearse(target, scratch, [plans.sql_step("late", "SELECT 1/0")])
    with psycopg.connect(scratch.dsn) as conn:
        left = conn.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace "
            "WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')"
        ).fetchone()
    assert left == (0,)
