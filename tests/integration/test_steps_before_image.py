"""Before-images: undoing restores functions to the letter, and of rows only what the step changed."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.outcome import Outcome
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

OLD = """
CREATE FUNCTION public.reader(n int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public AS $$ SELECT n + 1 $$;
REVOKE ALL ON FUNCTION public.reader(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.reader(int) TO bars_app;
COMMENT ON FUNCTION public.reader(int) IS 'the old reader';
"""
NEW = """
CREATE OR REPLACE FUNCTION public.reader(n int) RETURNS int LANGUAGE sql AS $$ SELECT n + 2 $$;
REVOKE ALL ON FUNCTION public.reader(int) FROM bars_app;
GRANT EXECUTE ON FUNCTION public.reader(int) TO PUBLIC;
COMMENT ON FUNCTION public.reader(int) IS 'the new reader';
"""
STATE = """
SELECT row(pg_get_functiondef(oid), proowner::regrole, proacl, obj_description(oid))::text
  FROM pg_proc WHERE oid = to_regprocedure('public.reader(int)')
"""


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)


def replacing(text: str, image: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**plans.sql_step("replace", text), "undo_none": None, "before_image": image, **more}


def there_and_back(target: TargetUrls, step: dict[str, Any], *, between: str = "") -> tuple[Memory, Outcome]:
    job, _, outcome = stepping.run(plans.plan({3: [step]}), target)
    assert outcome.status == "finished", outcome.error
    if between:
        stepping.execute(target, between)
    memory = Memory()
    return memory, runner.undo_phase(stepping.again(job), memory)


def test_a_replaced_function_comes_back_with_owner_rights_and_comment(target: TargetUrls) -> None:
    stepping.execute(target, OLD)
    before = stepping.one(target, STATE)
    step = replacing(NEW, {"functions": ["public.reader(int)"]})
    job, _, outcome = stepping.run(plans.plan({3: [step]}), target)
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, STATE) != before
    assert runner.undo_phase(stepping.again(job), Memory()).status == "finished"
    assert stepping.one(target, STATE) == before


def test_a_function_that_was_dropped_comes_back(target: TargetUrls) -> None:
    stepping.execute(target, OLD)
    before = stepping.one(target, STATE)
    step = replacing("DROP FUNCTION public.reader(int)", {"functions": ["public.reader(int)"]})
    _, outcome = there_and_back(target, step)
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, STATE) == before


def test_a_function_whose_result_type_changed_comes_back(target: TargetUrls) -> None:
    stepping.execute(target, OLD)
    before = stepping.one(target, STATE)
    text = (
        "DROP FUNCTION public.reader(int);"
        "CREATE FUNCTION public.reader(n int) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$"
    )
    _, outcome = there_and_back(target, replacing(text, {"functions": ["public.reader(int)"]}))
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, STATE) == before


def test_a_function_that_did_not_exist_is_dropped(target: TargetUrls) -> None:
    _, outcome = there_and_back(target, replacing(OLD, {"functions": ["public.reader(int)"]}))
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, "SELECT to_regprocedure('public.reader(int)') IS NULL")


def test_with_the_decision_keep_an_image_marked_so_is_not_restored(target: TargetUrls) -> None:
    stepping.execute(target, OLD)
    image = {"functions": ["public.reader(int)"], "keep_if": "keep"}
    memory, outcome = there_and_back(target, replacing(NEW, image))
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, "SELECT public.reader(1)") == 3
    assert "on purpose" in memory.results["replace"]["summary"]


def test_with_the_other_decision_it_is_restored(target: TargetUrls) -> None:
    stepping.execute(target, OLD)
    image = {"functions": ["public.reader(int)"], "keep_if": "delete"}
    _, outcome = there_and_back(target, replacing(NEW, image))
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, "SELECT public.reader(1)") == 2


TYPED = """
CREATE TABLE public.registry (
    id int, part text, amount numeric(30,10), ratio float8, at timestamptz, tags text[], note jsonb,
    raw bytea,
    twice numeric GENERATED ALWAYS AS (amount * 2) STORED, other text, PRIMARY KEY (id, part));
INSERT INTO public.registry (id, part, amount, ratio, at, tags, note, raw, other) VALUES
    (1, 'a', 12345678901234567890.0123456789, 0.1, '2026-11-01 10:00:00.123456+00', '{x,"y z"}',
     '{"n": 1.50, "deep": [1, null]}', '\\x00ff', 'mine'),
    (1, 'b', NULL, 'NaN', 'infinity', '{}', 'null', NULL, 'mine'),
    (2, 'a', 1, 1, now(), '{}', '{}', '', 'not ours');
"""
ALL = "SELECT md5(string_agg(t::text, '|' ORDER BY id, part)) FROM public.registry AS t"
OURS = {"rows": [{"table": "public.registry", "where": {"id": 1}}]}


@pytest.fixture
def registry(target: TargetUrls) -> Any:
    stepping.execute(target, TYPED)
    return stepping.one(target, ALL)


def test_rows_of_every_type_come_back_to_the_last_digit(target: TargetUrls, registry: str) -> None:
    text = """
    UPDATE public.registry SET amount = 0, ratio = 0, at = now(), tags = NULL, note = '{}', raw = NULL
     WHERE id = 1;
    DELETE FROM public.registry WHERE id = 1 AND part = 'b';
    INSERT INTO public.registry (id, part) VALUES (1, 'c')
    """
    _, outcome = there_and_back(target, replacing(text, OURS))
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, ALL) == registry


def test_what_the_application_wrote_to_other_columns_stays(target: TargetUrls, registry: str) -> None:
    step = replacing("UPDATE public.registry SET note = '{}' WHERE id = 1", OURS)
    _, outcome = there_and_back(
        target, step, between="UPDATE public.registry SET other = 'theirs' WHERE id = 1 AND part = 'a'"
    )
    assert outcome.status == "finished", outcome.error
    query = "SELECT note ->> 'n' || other FROM public.registry WHERE id = 1 AND part = 'a'"
    assert stepping.one(target, query) == "1.50theirs"


def test_a_newer_value_that_is_restored_over_is_kept_in_the_log(target: TargetUrls, registry: str) -> None:
    step = replacing("UPDATE public.registry SET other = 'ours' WHERE id = 1", OURS)
    memory, outcome = there_and_back(
        target, step, between="UPDATE public.registry SET other = 'theirs' WHERE id = 1 AND part = 'a'"
    )
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, ALL) == registry
    assert any("theirs" in line for line in memory.logs)


def test_a_row_that_other_rows_refer_to_is_restored_in_place(target: TargetUrls, registry: str) -> None:
    stepping.execute(
        target,
        "CREATE TABLE public.child (id int, part text, FOREIGN KEY (id, part) REFERENCES public.registry);"
        "INSERT INTO public.child VALUES (1, 'a')",
    )
    _, outcome = there_and_back(
        target, replacing("UPDATE public.registry SET other = 'x' WHERE id = 1", OURS)
    )
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, ALL) == registry


def test_rows_without_a_primary_key_are_refused(target: TargetUrls) -> None:
    stepping.execute(target, "CREATE TABLE public.loose (id int)")
    image = {"rows": [{"table": "public.loose", "where": {"id": 1}}]}
    step = replacing("INSERT INTO public.loose VALUES (1)", image)
    _, _, outcome = stepping.run(plans.plan({3: [step]}), target)
    assert outcome.status == "failed"
    assert "primary key" in outcome.error
    assert stepping.one(target, "SELECT count(*) FROM public.loose") == 0


def test_a_before_image_that_cannot_be_restored_stops_the_rollback_with_the_reason(
    target: TargetUrls,
) -> None:
    stepping.execute(target, "GRANT CREATE ON SCHEMA public TO phasegate_runner")
    job, _, outcome = stepping.run(
        plans.plan({3: [replacing(OLD, {"functions": ["public.reader(int)"]})]}), target
    )
    assert outcome.status == "finished", outcome.error
    with psycopg.connect(target.dsn) as conn:
        conn.execute("CREATE VIEW public.uses AS SELECT public.reader(1)")
    failed = runner.undo_phase(stepping.again(job), Memory())
    assert failed.status == "failed"
    assert "2BP01" in failed.error
    with psycopg.connect(target.dsn) as conn:
        conn.execute("DROP VIEW public.uses")
    assert runner.undo_phase(stepping.again(job, token=3), Memory()).status == "finished"
