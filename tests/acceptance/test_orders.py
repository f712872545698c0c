"""The second runbook, of another shape, through all nine phases and back, under a live writer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from controlpanel.embedded import Cluster
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import health
from migration_runs.runbook import freeze, loader
from tests.acceptance.engine_run import EngineRun

ORDERS = Path(__file__).parents[1] / "runbooks" / "orders"
OLD_LINES = (
    "SELECT order_id, sku, quantity, unit_price, note, placed_at FROM sales.order_line_old ORDER BY 1, 2"
)
NEW_LINES = "SELECT order_id, sku, quantity, unit_price, note, placed_at FROM sales.order_line ORDER BY 1, 2"
OBJECTS = """
SELECT string_agg(d, E'\\n' ORDER BY d)
  FROM (SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'sales'::regnamespace
        UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                   WHERE c.relnamespace = 'sales'::regnamespace
        UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                   WHERE c.relnamespace = 'sales'::regnamespace AND NOT t.tgisinternal) AS object (d)
"""


@contextmanager
def writer(target: TargetUrls, version: Literal["old", "new"], journal: Path) -> Iterator[None]:
    """A shop process of this version, stopped at the end of the block."""
    command = [sys.executable, str(ORDERS / "writer.py"), target.app_url, "--version", version]
    process = subprocess.Popen([*command, "--journal", str(journal)])
    try:
        yield
        assert process.poll() is None, "the shop died"
    finally:
        process.terminate()
        process.wait(timeout=30)


def written(journal: Path) -> dict[tuple[int, str], int]:
    """The shop's last word on each line; 0 for a deleted one."""
    rows = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    return {(row["order_id"], row["sku"]): row["quantity"] for row in rows}


@pytest.fixture
def world(target: TargetUrls) -> TargetUrls:
    """The target with the shop's tables before the migration."""
    with psycopg.connect(target.owner_url) as conn:
        conn.execute((ORDERS / "world.sql").read_bytes())
    return target


@pytest.fixture(params=["keep", "delete"])
def run(
    request: pytest.FixtureRequest, world: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: Cluster
) -> EngineRun:
    """A run of the orders runbook, once for each data decision."""
    backups = tmp_path / "backups"
    backups.mkdir()
    plan = freeze.freeze(loader.load(ORDERS), target="bars", data_decision=request.param)
    return EngineRun(plan, world, scratch, backups, cluster.pg_bin_dir)


def assert_lines(run: EngineRun, lines: str, journal: Path, history: list[tuple[Any, ...]]) -> None:
    """History and the shop's last word on every line are in the table, and nothing else."""
    rows = {(row[0], row[1]): row for row in run.query(lines)}
    said = written(journal)
    expected = {(row[0], row[1]): row[2] for row in history} | said
    assert {key: row[2] for key, row in rows.items()} == {key: n for key, n in expected.items() if n}
    assert all(rows[row[0], row[1]] == row for row in history)


def test_orders_run_through_nine_phases_and_lose_no_line(run: EngineRun, tmp_path: Path) -> None:
    journal, history = tmp_path / "journal", run.query(OLD_LINES)
    with writer(run.target, "old", journal):
        run.play(1, 2, 3, 4, 5, 6)
    with writer(run.target, "new", journal):
        run.play(7, 8, 9)
    assert run.value("SELECT count(*) FROM sales.order_line_old") == 0
    assert_lines(run, NEW_LINES, journal, history)
    assert run.query("SELECT DISTINCT channel, currency FROM sales.order_line") == [("shop", "EUR")]


def test_orders_roll_back_after_completion_and_lose_no_line(run: EngineRun, tmp_path: Path) -> None:
    journal, history, objects = tmp_path / "journal", run.query(OLD_LINES), run.value(OBJECTS)
    with writer(run.target, "old", journal):
        run.play(1, 2, 3, 4, 5, 6)
    with writer(run.target, "new", journal):
        run.play(7, 8, 9)
        before = len(journal.read_text(encoding="utf-8").splitlines())
        while len(journal.read_text(encoding="utf-8").splitlines()) < before + 50:
            assert run.value("SELECT true")
        run.undo(9, 8)
    with writer(run.target, "old", journal):
        run.undo(7, 6, 5, 4, 3, 2, 1)
    assert_lines(run, OLD_LINES, journal, history)
    assert run.value(OBJECTS) == objects
    left = run.value("SELECT count(*) FROM sales.order_line")
    assert (left == 0) == (run.plan.data_decision == "delete")


def test_orders_checks_measure_and_judge(run: EngineRun) -> None:
    run.play(1, 2, 3, 4, 5)
    outcomes = {
        check.key: health.run_check(run.job(8), check.key, since=None) for check in run.plan.runbook.checks
    }
    assert {key: outcome.verdict for key, outcome in outcomes.items()} == {
        "lines_placed": "pass",
        "dearest_line": "pass",
        "verification": "pass",
    }
    assert outcomes["lines_placed"].value == 4998
