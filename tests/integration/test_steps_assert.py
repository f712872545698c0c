"""``assert`` steps: what does not hold stops the run; a repair is proven on live rows before it is made."""

from __future__ import annotations

from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.states import StepState
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

HAS_CHECK = """
SELECT count(*) = 1 AS ok, 'a check on body' AS message FROM pg_constraint
 WHERE conrelid = 'public.old_things'::regclass AND conname = 'body_is_short'
"""
ADD_CHECK = "ALTER TABLE public.old_things ADD CONSTRAINT body_is_short CHECK (length(body) < 20)"
DROP_CHECK = "ALTER TABLE public.old_things DROP CONSTRAINT body_is_short"
LIVE_ROWS = """
SELECT count(*) = 0 AS ok, 'rows too long: ' || coalesce(string_agg(body, ', '), 'none') AS message
  FROM public.old_things WHERE length(body) >= 20
"""


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)


def repairing(**more: Any) -> dict[str, Any]:
    return {
        **plans.assert_step("short", HAS_CHECK),
        "undo_none": None,
        "repair": plans.sql_file(ADD_CHECK),
        "repair_check": plans.sql_file(LIVE_ROWS),
        "undo": plans.sql_file(DROP_CHECK),
        **more,
    }


def has_check(target: TargetUrls) -> bool:
    return bool(stepping.one(target, "SELECT count(*) FROM pg_constraint WHERE conname = 'body_is_short'"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT false AS ok, 'the sky fell' AS message", "the sky fell"),
        ("SELECT NULL::boolean AS ok, 'nobody knows' AS message", "nobody knows"),
        ("SELECT true AS ok, 'fine' AS message WHERE false", "no row"),
        ("SELECT 1 AS ok, 'a number' AS message", "boolean"),
        ("SELECT true AS okay", "ok and message"),
        ("SELECT true AS ok, 'one' AS message UNION ALL SELECT false, 'two'", "two"),
        ("SELECT nothing FROM public.old_things", "nothing"),
    ],
)
def test_what_is_not_proven_fails(target: TargetUrls, text: str, reason: str) -> None:
    _, _, outcome = stepping.run(plans.plan({2: [plans.assert_step("holds", text)]}), target, phase=2)
    assert outcome.status == "failed"
    assert reason in outcome.error


def test_an_assertion_may_not_write(target: TargetUrls) -> None:
    text = "WITH w AS (DELETE FROM public.old_things RETURNING 1) SELECT true AS ok, 'gone' AS message FROM w"
    _, _, outcome = stepping.run(plans.plan({2: [plans.assert_step("holds", text)]}), target, phase=2)
    assert outcome.status == "failed"
    assert "25006" in outcome.error
    assert stepping.one(target, "SELECT count(*) FROM old_things") == 3


def test_what_holds_is_not_repaired(target: TargetUrls) -> None:
    stepping.execute(target, ADD_CHECK)
    job, memory, outcome = stepping.run(plans.plan({2: [repairing()]}), target, phase=2)
    assert outcome.status == "finished"
    assert memory.states["short"] == StepState.SKIPPED
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"
    assert has_check(target)


def test_what_does_not_hold_is_repaired_and_the_repair_undone(target: TargetUrls) -> None:
    job, memory, outcome = stepping.run(plans.plan({2: [repairing()]}), target, phase=2)
    assert outcome.status == "finished", outcome.error
    assert memory.states["short"] == StepState.DONE
    assert memory.results["short"]["repaired"] is True
    assert any("to be repaired" in line for line in memory.logs)
    assert has_check(target)
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"
    assert not has_check(target)


def test_a_repair_that_live_rows_violate_is_refused_with_the_rows(target: TargetUrls) -> None:
    stepping.execute(target, "INSERT INTO public.old_things VALUES (9, 'far too long for such a check')")
    _, _, outcome = stepping.run(plans.plan({2: [repairing()]}), target, phase=2)
    assert outcome.status == "failed"
    assert "far too long for such a check" in outcome.error
    assert "nothing was changed" in outcome.kept
    assert not has_check(target)


def test_a_repair_that_does_not_help_is_taken_back(target: TargetUrls) -> None:
    step = repairing(repair=plans.sql_file("ALTER TABLE public.old_things ADD COLUMN useless int"))
    _, _, outcome = stepping.run(plans.plan({2: [step]}), target, phase=2)
    assert outcome.status == "failed"
    assert "after the repair" in outcome.error
    count = (
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'old_things'::regclass AND attname = 'useless'"
    )
    with_path = count.replace("'old_things'", "'public.old_things'")
    assert stepping.one(target, with_path) == 0


def test_a_preview_says_whether_a_repair_would_run(target: TargetUrls) -> None:
    plan = plans.plan({2: [repairing()]})
    before = runner.previews(plan, target.runner_url)[1]
    assert "Does not hold now" in before.summary
    stepping.execute(target, ADD_CHECK)
    assert "Holds now" in runner.previews(plan, target.runner_url)[1].summary


def test_a_missing_index_is_built_concurrently_as_a_repair(target: TargetUrls) -> None:
    step = repairing(
        sql=plans.sql_file(
            "SELECT count(*) = 1 AS ok, 'unique body' AS message FROM pg_index "
            "WHERE indrelid = 'public.old_things'::regclass AND indisunique AND NOT indisprimary"
        ),
        repair=plans.sql_file("CREATE UNIQUE INDEX CONCURRENTLY by_body ON public.old_things (body)"),
        repair_check=None,
        undo=plans.sql_file("DROP INDEX CONCURRENTLY public.by_body"),
    )
    job, memory, outcome = stepping.run(plans.plan({2: [step]}), target, phase=2)
    assert outcome.status == "finished", outcome.error
    assert memory.results["short"]["repaired"] is True
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"
    assert stepping.one(target, "SELECT to_regclass('public.by_body') IS NULL")
