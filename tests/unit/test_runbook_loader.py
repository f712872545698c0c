"""Loading a runbook: what is wrong is named with file and line; what is right becomes one digest of
meaning.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from migration_runs.exceptions import RunbookInvalid
from migration_runs.runbook import freeze, loader
from migration_runs.runbook.move import Const, Pack
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import AssertStep, SqlStep
from tests.unit.runbook_folder import Folder, copy_orders

BARS = Path(__file__).parents[2] / "bars" / "runbooks" / "dxy_1m"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return copy_orders(tmp_path)


def test_both_shipped_runbooks_are_valid_without_a_warning(folder: Folder) -> None:
    assert loader.check(BARS).findings == ()
    assert folder.findings() == ()


def test_dxy_move_keeps_every_column_that_the_target_lacks() -> None:
    move = loader.load(BARS).move
    raw = move.columns["raw"]
    assert isinstance(raw, Pack)
    assert {"derivation_version", "quality_score", "source_candles", "raw", "source"} <= set(raw.pack)
    assert raw.literal == {"kind": "dxy"}
    assert move.columns["provider_ticker"] == Const(const=None)
    assert move.active is not None
    assert move.active.is_null


def test_unknown_key_is_refused_at_its_line(folder: Folder) -> None:
    folder.change('title = "Unique indexes"', 'title = "Unique indexes"\ncolour = "blue"')
    line = folder.line_of("colour")
    assert any(error.startswith(f"runbook.toml:{line}: error: unknown key") for error in folder.errors())


def test_unknown_top_level_key_is_refused(folder: Folder) -> None:
    folder.change('slug = "orders"', 'slug = "orders"\nslog = "x"')
    assert f"runbook.toml:{folder.line_of('slog')}: error: unknown key 'slog'" in folder.errors()


def test_missing_phase_is_named(folder: Folder) -> None:
    start = folder.toml.index('[[phases]]\nkey = "deploy"')
    end = folder.toml.index('[[phases]]\nkey = "monitoring"')
    folder.change(folder.toml[start:end], "")
    assert any("phase 7 'deploy' is missing" in error for error in folder.errors())
    with pytest.raises(RunbookInvalid):
        loader.load(folder.path)


def test_phases_out_of_order_are_refused(folder: Folder) -> None:
    folder.change('key = "deploy"', 'key = "monitoring_"')
    folder.change('key = "monitoring"', 'key = "deploy"')
    folder.change('key = "monitoring_"', 'key = "monitoring"')
    assert any("wrong order" in error for error in folder.errors())


def test_phase_given_twice_is_refused(folder: Folder) -> None:
    folder.change('key = "deploy"\nsign_off', 'key = "monitoring"\nsign_off')
    assert any("given twice" in error for error in folder.errors())


def test_unknown_step_kind_is_refused_at_its_line(folder: Folder) -> None:
    folder.change('kind = "rehearse_sql"', 'kind = "rehearse"')
    assert any("unknown step kind" in error for error in folder.errors())


def test_missing_file_is_refused_where_it_is_named(folder: Folder) -> None:
    folder.change('sql = "1_preflight/objects.sql"', 'sql = "1_preflight/nothing.sql"')
    line = folder.line_of("nothing.sql")
    assert folder.errors() == [
        f"runbook.toml:{line}: error: sql names 1_preflight/nothing.sql, which does not exist"
    ]


def test_sql_written_into_the_toml_is_refused(folder: Folder) -> None:
    inline = '{ path = "x.sql", text = "SELECT 1", header = { what = "x" } }'
    folder.change('sql = "1_preflight/objects.sql"', f"sql = {inline}")
    line = folder.line_of("x.sql")
    assert folder.errors() == [
        f"runbook.toml:{line}: error: sql must be the path of a file in the runbook's folder"
    ]


def test_mangled_runbooks_are_refused_and_never_crash(folder: Folder) -> None:
    chance, lines = random.Random(7), folder.toml.splitlines()  # a fixed seed: the same faults each time
    values = ["1", "[]", "{}", "[[1]]", "true", "1979-05-27", "nan", '""', "{ a = { b = 1 } }"]
    for _ in range(25):
        mangled = list(lines)
        at = chance.randrange(len(mangled))
        key, equals, _ = mangled[at].partition("=")
        mangled[at] = f"{key}= {chance.choice(values)}" if equals else ""
        (folder.path / "runbook.toml").write_text("\n".join(mangled), encoding="utf-8")
        assert all(finding.line >= 1 for finding in folder.findings())


def test_file_outside_the_folder_is_refused(folder: Folder) -> None:
    (folder.path.parent / "secret.sql").write_text("SELECT 1;", encoding="utf-8")
    folder.change('sql = "1_preflight/objects.sql"', 'sql = "../secret.sql"')
    assert any("outside the runbook's folder" in error for error in folder.errors())


def test_text_that_is_no_toml_is_refused_at_its_line(folder: Folder) -> None:
    folder.change('slug = "orders"', 'slug = "orders')
    line = folder.line_of('slug = "orders')
    assert folder.errors()[0].startswith(f"runbook.toml:{line}: error: not TOML")


def test_folder_without_a_runbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunbookInvalid, match=r"holds no runbook\.toml"):
        loader.load(tmp_path)


def test_wrong_column_is_one_finding(folder: Folder) -> None:
    folder.change('channel = { const = "shop" }', 'channel = { constant = "shop" }')
    line = folder.line_of("constant")
    said = 'a column is "source column", { const = ... } or { pack = [...], ... }'
    assert [error for error in folder.errors() if f":{line}:" in error] == [
        f"runbook.toml:{line}: error: move.columns.channel: {said}"
    ]


def test_timeouts_come_from_the_header_and_may_not_differ(folder: Folder) -> None:
    step = loader.load(folder.path).phase(2).steps[1]
    assert isinstance(step, AssertStep)
    assert (step.lock_timeout_ms, step.statement_timeout_s) == (500, 60.0)
    folder.change('title = "Index on placed_at"', 'title = "Index on placed_at"\nlock_timeout_ms = 900')
    assert any("lock_timeout_ms is 900 here and 500 in the header" in error for error in folder.errors())


def test_undo_none_keeps_its_reason(folder: Folder) -> None:
    folder.change(
        'before_image = { functions = ["sales.place_line_direct(bigint, text, integer, numeric, text)"] }',
        'undo = "none: nobody calls it"',
    )
    step = loader.load(folder.path).phase(3).steps[0]
    assert isinstance(step, SqlStep)
    assert step.undo is None
    assert step.undo_none == "nobody calls it"


def test_undo_none_without_a_reason_is_refused(folder: Folder) -> None:
    folder.change('undo = "none: a test report changes nothing"', 'undo = "none:"')
    assert any("must say why" in error for error in folder.errors())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-- why: the reader after the migration.\n", "lacks '-- why:"),
        ("-- locks: none on tables.\n", "lacks '-- locks:"),
        ("-- timeout: lock 200 ms, statement 5 s\n", "lacks '-- timeout:"),
        ("-- undo: the before-image", "lacks '-- undo:"),
    ],
)
def test_incomplete_header_is_refused(folder: Folder, line: str, message: str) -> None:
    folder.change(
        line, "" if line.endswith("\n") else "-- undone: the before-image", file="5_code_switch/revenue.sql"
    )
    assert any("5_code_switch/revenue.sql" in error and message in error for error in folder.errors())


@pytest.mark.parametrize("timeout", ["forever", "statement 0 s", "lock 5 s, statement 5 s", "5 s"])
def test_timeout_that_is_none_is_refused(folder: Folder, timeout: str) -> None:
    folder.change("lock 200 ms, statement 5 s", timeout, file="5_code_switch/revenue.sql")
    line = folder.line_of("-- timeout", file="5_code_switch/revenue.sql")
    assert any(error.startswith(f"5_code_switch/revenue.sql:{line}: error") for error in folder.errors())


def test_digest_is_of_meaning_and_not_of_rendering(folder: Folder) -> None:
    before = loader.digest(loader.load(folder.path))
    folder.change('title = "Unique indexes"\n', "")
    folder.change(
        'sql = "2_schema_validation/unique_index.sql"\n',
        'sql = "2_schema_validation/unique_index.sql"\ntitle = "Unique indexes"  # moved\n',
    )
    assert loader.digest(loader.load(folder.path)) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('title = "Unique indexes"', 'title = "The unique indexes"'),
        ("quiet_s = 2.0", "quiet_s = 3.0"),
        ('"sales.order_line_old", "sales.order_line"]', '"sales.order_line", "sales.order_line_old"]'),
        ("retention_days = 7", "retention_days = 8"),
    ],
)
def test_digest_changes_with_every_meaning(folder: Folder, old: str, new: str) -> None:
    before = loader.digest(loader.load(folder.path))
    folder.change(old, new)
    assert loader.digest(loader.load(folder.path)) != before


def test_digest_changes_with_a_single_letter_of_sql(folder: Folder) -> None:
    before = loader.digest(loader.load(folder.path))
    folder.change("quantity * unit_price", "quantity*unit_price", file="5_code_switch/revenue.sql")
    assert loader.digest(loader.load(folder.path)) != before


def test_plan_survives_its_own_json(folder: Folder) -> None:
    plan = freeze.freeze(loader.load(folder.path), target="bars", data_decision="keep")
    again = Plan.from_json(json.loads(plan.canonical()))
    assert again == plan
    assert again.digest == plan.digest
