"""A source row written as a target row and back, as SQL text."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from migration_runs.engine.move import columns, mirror_functions, mirroring
from migration_runs.engine.move.names import Column, KeyColumn, Shape, Table
from migration_runs.runbook.move import Active, Const, Move, Pack


def a_column(name: str, type_name: str = "text", **more: Any) -> Column:
    facts: dict[str, Any] = {
        "base_type": type_name, "typmod": -1, "not_null": False, "default": None, "generated": False,
        "identity": "", "kind": "b", "is_array": False, "known": True, "loose_collation": False,
        "comparable": True,
    }  # fmt: skip
    return Column(name=name, type=type_name, **{**facts, **more})


def a_table(name: str, *of: Column) -> Table:
    return Table(
        schema="public", name=name, oid=1, columns={one.name: one for one in of}, identity=("id",),
        before_row_triggers=(),
    )  # fmt: skip


MOVE = Move(
    name="things",
    source="public.old",
    target="public.new",
    key=("k",),
    chunk_column="k",
    scope={"kind": "a", "k": 1},
    columns={
        "key": "k",
        "body": "body",
        "origin": Const(const="it's"),
        "more": Pack(pack=("n", "doc", "tags"), literal={"v": 1}, default={"n": 7}),
    },
    active=Active(column="state", equals="live", retired="dead"),
)
SHAPE = Shape(
    run_uid=uuid.UUID("12345678-0000-0000-0000-000000000000"),
    move=MOVE,
    source=a_table(
        "old",
        a_column("id", "bigint"), a_column("k", "integer"), a_column("body"), a_column("kind"),
        a_column("state"), a_column("n", "integer"), a_column("doc", "jsonb"),
        a_column("tags", "text[]", is_array=True, default="'{}'::text[]"),
    ),
    target=a_table(
        "new", a_column("key", "integer"), a_column("body"), a_column("origin"), a_column("more", "jsonb")
    ),
    key=(KeyColumn("k", "key", "integer", "k1"),),
    identity=(a_column("id", "bigint"),),
)  # fmt: skip


def text(part: sql.Composable) -> str:
    return part.as_string()


def test_the_image_has_every_target_column_of_the_move() -> None:
    made = {name: text(part) for name, part in columns.image(SHAPE, "s").items()}
    assert made["key"] == '"s"."k"'
    assert made["origin"] == "'it''s'::text"
    assert made["more"] == (
        '(jsonb_build_object(\'n\', "s"."n", \'doc\', "s"."doc", \'tags\', "s"."tags", \'v\', \'1\'::jsonb))'
    )


def test_the_way_back_has_every_source_column_that_the_target_knows() -> None:
    made = {name: text(part) for name, part in columns.back(SHAPE, "t").items()}
    assert set(made) == {"k", "body", "n", "doc", "tags", "kind"}
    assert made["kind"] == "'a'::text", "the scope's value, since no target column has it"
    missing = 'CASE WHEN ("t"."more" -> {}) IS NULL THEN {} ELSE'
    assert made["n"].startswith(missing.format("'n'", "'7'::integer")), "the pack's default"
    assert made["tags"].startswith(missing.format("'tags'", "('{}'::text[])")), "the table's default"
    assert made["doc"].startswith(missing.format("'doc'", "NULL::jsonb"))


def test_rows_out_of_scope_or_withdrawn_are_not_the_moves() -> None:
    assert text(columns.source_rows(SHAPE, "s")) == (
        '(("s"."kind" = \'a\'::text AND "s"."k" = \'1\'::integer) AND ("s"."state" = \'live\'::text))'
    )
    assert text(columns.target_scope(SHAPE, "t")) == '("t"."key" = \'1\'::integer)', "mapped columns alone"
    assert text(columns.conflict_target(SHAPE, "source")) == '("k") WHERE "state" = \'live\'::text'
    assert text(columns.assignments(columns.retired(SHAPE))) == "\"state\" = 'dead'::text"


def test_a_scope_that_the_key_does_not_say_is_always_asked_for() -> None:
    assert text(columns.rows_of_keys(SHAPE, "s", "source")) == text(columns.source_rows(SHAPE, "s"))
    said = replace(SHAPE, move=MOVE.model_copy(update={"scope": {"k": 1}}))
    assert text(columns.rows_of_keys(said, "s", "source")) == '("s"."state" = \'live\'::text)'
    assert text(columns.rows_of_keys(said, "t", "target")) == "true"


def test_soft_delete_by_time_takes_the_transactions_time() -> None:
    move = MOVE.model_copy(update={"active": Active(column="state", is_null=True)})
    shape = replace(SHAPE, move=move)
    assert text(columns.active(shape, "s")) == '("s"."state" IS NULL)'
    assert text(columns.assignments(columns.retired(shape))) == '"state" = now()::text'
    assert text(columns.assignments(columns.living(shape))) == '"state" = NULL::text'


def test_names_of_a_run_fit_into_what_postgresql_keeps_and_stay_apart() -> None:
    longest = replace(SHAPE, move=MOVE.model_copy(update={"name": "m" * 31}))
    names = [
        longest.trigger_name(f"{way}_{event}") for way in mirroring.MODES for event in ("insert", "update")
    ]
    assert all(len(name.encode()) <= 63 for name in names)
    assert len(set(names)) == len(names)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00")))
def test_no_constant_ends_the_function_early(value: str) -> None:
    move = MOVE.model_copy(update={"columns": {**MOVE.columns, "origin": Const(const=value)}})
    made = mirror_functions.function(replace(SHAPE, move=move), "forward", "mirror", runner="runner")
    statement, _, body = made.as_string().partition("\nAS ")
    assert "$" not in statement
    body = body.strip()
    prefix = " E'" if body.startswith("E'") else "'"
    inner = body.removeprefix(prefix.strip())[:-1]
    assert body.endswith("'")
    unescaped = inner.replace("\\\\", "").replace("''", "")
    assert "'" not in unescaped


@pytest.mark.parametrize("mode", ["update_only", "full", "revive"])
def test_what_reverse_may_bring_into_being_depends_on_its_mode(mode: mirroring.Mode) -> None:
    body = mirror_functions.body(SHAPE, "reverse", mode, runner="runner").as_string()
    assert ('INSERT INTO "public"."old"' in body) is (mode != "update_only")
    assert ("_gone" in body) is (mode == "revive")
