"""The eighteen defects that the original plan had: each is impossible now, or caught before it harms.

Each test is named after its defect. Where the defect can be produced, it is: the test then shows what stops
it.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bars import readers, signals, sql_files
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import health
from migration_runs.engine.move import verification
from tests.acceptance.conftest import StartRun
from tests.acceptance.engine_run import EngineRun
from tests.acceptance.living import living
from tests.unit.runbook_folder import Folder

SPEED = 600.0
SOURCE = "FROM public.derived_data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
TARGET = "FROM public.data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
ACTIVE = f"SELECT count(*) {SOURCE} AND deleted_at IS NULL"
READER = "public.aggregate_1m_to_5m_range(text, timestamptz, timestamptz, integer)"
SIGNALS = "public.signal_bars(text, text, integer)"
DEFINITION = "SELECT pg_get_functiondef(%s::regprocedure)"


def execute(target: TargetUrls, *statements: str) -> None:
    """Statements of a superuser, in one transaction."""
    with psycopg.connect(target.dsn) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def behind_the_mirrors_back(target: TargetUrls, statement: str) -> None:
    """Change data_bars as no application can: with its triggers off for the moment."""
    with psycopg.connect(target.dsn) as conn:
        names = [
            row[0]
            for row in conn.execute(
                "SELECT tgname FROM pg_trigger"
                " WHERE tgrelid = 'public.data_bars'::regclass AND NOT tgisinternal"
            )
        ]
        for name in names:
            conn.execute(f'ALTER TABLE public.data_bars DISABLE TRIGGER "{name}"'.encode())
        conn.execute(statement.encode())
        for name in names:
            conn.execute(f'ALTER TABLE public.data_bars ENABLE ALWAYS TRIGGER "{name}"'.encode())


def counted(run: EngineRun, definition: str | None = None) -> tuple[int, int]:
    """How many 1m bars the 5m reader counts over three settled hours, and how many minutes there are.

    ``definition`` tries another reader. Everything is rolled back.
    """
    with psycopg.connect(run.target.dsn) as conn:
        if definition is not None:
            conn.execute(definition.encode())
        row = conn.execute(
            "WITH span AS ("
            "SELECT date_bin('5 minutes', max(ts_utc) - interval '200 minutes', 'epoch') AS starts,"
            " date_bin('5 minutes', max(ts_utc) - interval '20 minutes', 'epoch') AS ends"
            f" {SOURCE} AND deleted_at IS NULL)"
            " SELECT starts, ends FROM span".encode()
        ).fetchone()
        assert row is not None
        answer = conn.execute("SELECT public.aggregate_1m_to_5m_range('DXY', %s, %s, 1)", row).fetchone()
        minutes = conn.execute(
            f"SELECT count(DISTINCT ts_utc) {SOURCE} AND deleted_at IS NULL"
            " AND ts_utc >= %s AND ts_utc < %s".encode(),
            row,
        ).fetchone()
        conn.rollback()
    assert answer is not None
    assert minutes is not None
    assert answer[0]["success"] is True
    return answer[0]["source_count"], minutes[0]


def doubled_signals(run: EngineRun, definition: str | None = None) -> int:
    """How many minutes the legacy signal engine sees twice among the newest 400 bars.

    ``definition`` tries another body of the function that it reads through; it is rolled back.
    """
    with psycopg.connect(run.target.dsn) as conn:
        if definition is not None:
            conn.execute(definition.encode())
        bars = signals.latest_bars(conn, symbol="DXY", timeframe="1m", limit=400, version="legacy")
        conn.rollback()
    assert len(bars) == 400
    return len(bars) - len({bar.ts for bar in bars})


def seen(target: TargetUrls, state: readers.State) -> dict[str, list[float]]:
    """What a reader in this state gets: by minute all closes."""
    found: dict[str, list[float]] = {}
    with psycopg.connect(target.app_url) as conn:
        for bar in readers.bars_seen(conn, state=state):
            found.setdefault(bar.ts.isoformat(), []).append(bar.close)
    return found


def assert_written_bars_are_seen_once(
    written: dict[str, float], target: TargetUrls, state: readers.State
) -> None:
    """Every bar that the feed says it wrote is there once, with its value."""
    rows = seen(target, state)
    assert written
    assert {ts: rows.get(ts) for ts in written} == {ts: [close] for ts, close in written.items()}


def test_defect_01_a_failed_statement_fails_its_step_and_leaves_nothing(
    start_run: StartRun, dxy_folder: Folder
) -> None:
    file = "3_create_function/transition_reader.sql"
    path = dxy_folder.path / file
    path.write_text(path.read_text(encoding="utf-8") + "\nSELECT 1 / 0;\n", encoding="utf-8")
    run = start_run(dxy_folder.path)
    before = run.value(DEFINITION, [READER])
    outcome = run.attempt(3)
    assert (outcome.status, outcome.step) == ("failed", "transition_reader")
    assert "division by zero" in outcome.error
    assert run.value(DEFINITION, [READER]) == before


def test_defect_02_a_function_that_answers_success_false_fails_its_step(
    start_run: StartRun, dxy_folder: Folder
) -> None:
    dxy_folder.change(
        "calc_dxy_range_1m(starts, ends, 1)",
        "calc_dxy_range_1m(ends, starts, 1)",
        file="3_create_function/calc_trial.sql",
    )
    outcome = start_run(dxy_folder.path).attempt(3)
    assert (outcome.status, outcome.step) == ("failed", "try_calc")
    assert ".success=no" in outcome.error


def test_defect_03_a_repair_that_live_rows_violate_is_refused_with_the_offenders(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    insert = (
        "INSERT INTO public.data_bars (canonical_symbol, timeframe, ts_utc, open, is_partial, source,"
        " ingested_at, raw)"
        " VALUES ('EURUSD', '4h', now(), NULL, true, 'synthetic', now(), '{}')"
    )
    execute(bars_target, insert)
    run = start_run()
    outcome = run.attempt(2)
    assert (outcome.status, outcome.step) == ("failed", "synthetic_check")
    assert "1, of source synthetic" in outcome.error
    assert run.value("SELECT count(*) FROM pg_constraint WHERE conname = 'data_bars_synthetic_complete'") == 0
    execute(bars_target, insert.replace("'4h'", "'2h'"))  # the writer goes on as before


def test_defect_03_the_accepted_repair_lets_the_live_writer_go_on(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    run = start_run(clock_speed=SPEED)
    with living(bars_target, tmp_path / "journal", speed=SPEED) as bars:
        run.play(1, 2)
        before = len(bars.written())
        run.play(3, 4)
        assert len(bars.written()) > before
    assert run.query("SELECT message FROM public.ops_runlog WHERE level = 'error'") == []


def test_defect_04_a_column_that_does_not_exist_is_found_before_anything_changes(
    start_run: StartRun, dxy_folder: Folder
) -> None:
    dxy_folder.change("SET metadata =", "SET description =", file="5_code_switch/registry_metadata.sql")
    run = start_run(dxy_folder.path)
    outcome = run.attempt(1)
    assert (outcome.status, outcome.step) == ("failed", "rehearse_sql")
    assert "registry_metadata.sql" in outcome.error
    assert "description" in outcome.error
    assert run.value("SELECT to_regproc('public.calc_dxy_range_1m') IS NULL")
    assert run.value(ACTIVE) > 0


def test_defect_05_copy_and_comparison_hold_under_a_live_writer(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    run = start_run(clock_speed=SPEED)
    with living(bars_target, tmp_path / "journal", speed=SPEED) as bars:
        run.play(1, 2, 3, 4)
    run.drain()
    result = verification.verify(bars_target.runner_url, run.plan, run.uid)
    assert result.clean
    assert result.pending == 0
    assert result.source_rows == result.target_rows == run.value(ACTIVE)
    assert_written_bars_are_seen_once(bars.written(), bars_target, "transition")


def test_defect_06_bars_written_between_copy_and_cleanup_stay_seen(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    run = start_run(clock_speed=SPEED)
    with living(bars_target, tmp_path / "journal", speed=SPEED) as bars:
        run.play(1, 2, 3, 4, 5, 6)
        bars.deploy("migrated")
        run.play(7, 8, 9)
    assert run.value(ACTIVE) == 0
    assert_written_bars_are_seen_once(bars.written(), bars_target, "migrated")


def test_defect_07_nothing_is_retired_that_the_target_does_not_hold(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    active = run.value(ACTIVE)
    behind_the_mirrors_back(bars_target, f"DELETE {TARGET}")
    outcome = run.attempt(9)
    assert outcome.status == "failed"
    assert run.value(ACTIVE) == active > 0


def test_defect_07_one_missing_row_stops_the_cleanup(start_run: StartRun, bars_target: TargetUrls) -> None:
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    active = run.value(ACTIVE)
    behind_the_mirrors_back(bars_target, f"DELETE {TARGET} AND ts_utc = (SELECT min(ts_utc) {TARGET})")
    assert run.attempt(9).status == "failed"
    assert run.value(ACTIVE) == active


def test_defect_08_wrong_values_in_the_target_are_found_before_the_copy(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    execute(
        bars_target,
        "INSERT INTO public.data_bars (canonical_symbol, timeframe, ts_utc, open, high, low, close,"
        " is_partial, source, ingested_at, raw)"
        " SELECT canonical_symbol, timeframe, ts_utc, open, high, low, close + 1, false, 'synthetic', now(),"
        f' \'{{"kind": "dxy"}}\' {SOURCE} AND deleted_at IS NULL ORDER BY ts_utc LIMIT 1',
    )
    run = start_run()
    outcome = run.attempt(2)
    assert (outcome.status, outcome.step) == ("failed", "target_rows")
    assert "derived_data_bars: 1, first at" in outcome.error
    later = run.attempt(4)  # and if somebody went on: phase 4 refuses before it copies or mirrors anything
    assert later.status == "failed"
    assert later.step in ("forward", "copy")
    assert run.value(f"SELECT count(*) {TARGET}") == 1


def test_defect_08_equal_counts_with_a_wrong_value_are_not_equal(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    behind_the_mirrors_back(
        bars_target, f"UPDATE public.data_bars SET close = close + 1 WHERE id = (SELECT min(id) {TARGET})"
    )
    outcome = run.attempt(9)
    assert (outcome.status, outcome.step) == ("failed", "verify")
    result = verification.verify(bars_target.runner_url, run.plan, run.uid)
    assert result.source_rows == result.target_rows
    assert result.different == 1


def test_defect_09_each_bar_is_counted_once_with_both_tables_filled(start_run: StartRun) -> None:
    run = start_run()
    legacy, legacy_signals = run.value(DEFINITION, [READER]), run.value(DEFINITION, [SIGNALS])
    run.play(1, 2, 3, 4)
    count, minutes = counted(run)
    assert count == minutes > 0
    assert doubled_signals(run) == 0
    doubled, _ = counted(run, legacy)
    assert doubled == 2 * minutes  # what the old reader would have made of it
    assert doubled_signals(run, legacy_signals) == 200
    run.play(5)
    assert counted(run) == (minutes, minutes)
    assert doubled_signals(run) == 0


@pytest.mark.parametrize(
    ("without", "phase"),
    [
        pytest.param("transition_signals", 4, id="the duplicate-safe body is forgotten"),
        pytest.param("single_table_signals", 5, id="the single-table body is forgotten"),
    ],
)
def test_defect_09_a_forgotten_body_of_the_signal_function_stops_the_run(
    start_run: StartRun, dxy_folder: Folder, without: str, phase: int
) -> None:
    legacy = sql_files.read("legacy/10_signal_bars").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    file = next(dxy_folder.path.rglob(f"{without}.sql"))
    header = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("--")]
    body = "\n".join(line for line in legacy.splitlines() if not line.startswith("--"))
    file.write_text("\n".join([*header, body, ""]), encoding="utf-8")
    run = start_run(dxy_folder.path)
    run.play(*range(1, phase))
    outcome = run.attempt(phase)
    assert (outcome.status, outcome.step) == ("failed", "signals_once")
    assert "720 of them doubled" in outcome.error


def test_defect_10_version_quality_counts_and_raw_survive_there_and_back(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    columns = (
        "source, source_timeframe, source_candles, expected_candles, quality_score, derivation_version, raw,"
        " created_at, ingested_at"
    )
    execute(
        bars_target,
        "UPDATE public.derived_data_bars SET derivation_version = 7, quality_score = -1, source_candles = 5,"
        " raw = '{\"note\": [1, null, \"ä\"]}', source = 'dxy-late'"
        f" WHERE id = (SELECT max(id) {SOURCE} AND deleted_at IS NULL)",
    )
    run = start_run(data_decision="delete")
    row = f"SELECT {columns} FROM public.derived_data_bars WHERE derivation_version = 7"
    before = run.query(row)
    run.play(1, 2, 3, 4, 5)
    raw = run.value(f"SELECT raw {TARGET} AND raw ->> 'derivation_version' = '7'")
    assert raw["quality_score"] == -1
    assert raw["raw"] == {"note": [1, None, "ä"]}
    # a correction by the new writer's side comes back with everything that it did not touch
    execute(
        bars_target, "UPDATE public.data_bars SET close = close * 2 WHERE raw ->> 'derivation_version' = '7'"
    )
    assert run.query(row) == before
    run.undo(5, 4, 3, 2, 1)
    assert run.query(row) == before


def test_defect_11_rollback_after_cleanup_loses_nothing_and_revives_only_its_own(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    withdrawn = f"SELECT array_agg(id ORDER BY id) {SOURCE} AND deleted_at IS NOT NULL"
    run = start_run(data_decision="delete", clock_speed=SPEED)
    before = run.value(withdrawn)
    with living(bars_target, tmp_path / "journal", speed=SPEED) as bars:
        run.play(1, 2, 3, 4, 5, 6)
        bars.deploy("migrated")
        run.play(7, 8, 9)
        completed = len(bars.written())
        while len(bars.written()) < completed + 20:
            time.sleep(0.2)
        run.undo(9, 8)
        bars.deploy("legacy")
        run.undo(7, 6, 5, 4, 3, 2, 1)
    assert run.value(withdrawn) == before
    assert run.value(f"SELECT count(*) {TARGET}") == 0
    assert_written_bars_are_seen_once(bars.written(), bars_target, "legacy")
    assert run.value("SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
                     " WHERE p.pronamespace = to_regnamespace('phasegate')") == 0  # fmt: skip


def test_defect_12_withdrawn_bars_are_not_copied(start_run: StartRun) -> None:
    run = start_run()
    gone = (
        f"SELECT array_agg(ts_utc) {SOURCE} AND deleted_at IS NOT NULL"
        f" AND ts_utc NOT IN (SELECT ts_utc {SOURCE} AND deleted_at IS NULL)"
    )
    minutes = run.value(gone)
    assert minutes
    run.play(1, 2, 3, 4)
    assert run.value(f"SELECT count(*) {TARGET} AND ts_utc = ANY (%s)", [minutes]) == 0
    assert run.value(f"SELECT count(*) {TARGET}") == run.value(ACTIVE)


def test_defect_13_a_difference_of_five_billionths_is_a_difference(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    run = start_run()
    run.play(1, 2, 3, 4)
    assert verification.verify(bars_target.runner_url, run.plan, run.uid).clean
    behind_the_mirrors_back(
        bars_target, f"UPDATE public.data_bars SET close = close + 5e-9 WHERE id = (SELECT min(id) {TARGET})"
    )
    assert verification.verify(bars_target.runner_url, run.plan, run.uid).different == 1


def test_defect_14_another_time_zone_changes_nothing(start_run: StartRun, bars_target: TargetUrls) -> None:
    execute(bars_target, f"ALTER DATABASE \"{bars_target.dbname}\" SET timezone = 'America/New_York'")
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    with psycopg.connect(bars_target.app_url) as conn:
        zone = conn.execute("SHOW timezone").fetchone()
        assert zone == ("America/New_York",)
        newest = conn.execute(f"SELECT max(ts_utc) {TARGET}".encode()).fetchone()
        assert newest is not None
        for function, more in (("calc_dxy_range_derived", ", '1m'"), ("calc_dxy_range_1m", "")):
            start = newest[0] - timedelta(minutes=5)
            conn.execute(f"SELECT public.{function}(%s, %s{more}, 1)".encode(), [start, newest[0]])
            conn.commit()
    run.drain()
    assert verification.verify(bars_target.runner_url, run.plan, run.uid).clean
    execute(bars_target, "UPDATE public.market_clock SET real_start = real_start - interval '1 hour'")
    outcome = health.run_check(run.job(8), "dxy_1m_staleness", since=None)
    assert outcome.verdict == "fail"
    assert outcome.value == pytest.approx(3600, abs=120)


def test_defect_15_rows_hidden_by_row_level_security_are_noticed(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    execute(
        bars_target,
        "ANALYZE public.derived_data_bars",
        "ALTER TABLE public.derived_data_bars FORCE ROW LEVEL SECURITY",
    )
    outcome = start_run().attempt(1)
    assert (outcome.status, outcome.step) == ("failed", "visibility")
    assert "0 rows seen" in outcome.error


def test_defect_16_backup_covers_what_the_plan_touches_and_was_restored(start_run: StartRun) -> None:
    run = start_run()
    run.play(1)
    result: dict[str, Any] = run.memory.results["backup"]
    assert {"public.data_agg_state", "public.data_ingest_state", "public.derived_data_bars"} <= set(
        result["counts"]
    )
    assert result["restored"] == result["counts"]
    assert result["counts"]["public.derived_data_bars"] > 0
    assert {"public.calc_dxy_range_derived", "public.aggregate_1m_to_5m_range"} <= set(result["functions"])


def test_defect_17_copied_history_is_not_taken_for_new_bars(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    run.switched_at = run.value("SELECT public.market_now()")
    execute(bars_target, "UPDATE public.market_clock SET real_start = real_start - interval '2 hours'")
    written = health.run_check(run.job(8), "bars_written", since=None)
    assert written.detail.startswith("0 bars of DXY for 0 minutes")
    stale = health.run_check(run.job(8), "dxy_1m_staleness", since=None)
    assert stale.verdict == "fail"


@pytest.mark.parametrize("decision", ["keep", "delete"])
def test_defect_18_rollback_leaves_no_reader_that_counts_twice(start_run: StartRun, decision: Any) -> None:
    run = start_run(data_decision=decision)
    legacy, legacy_signals = run.value(DEFINITION, [READER]), run.value(DEFINITION, [SIGNALS])
    run.play(1, 2, 3, 4, 5)
    run.undo(5, 4, 3, 2, 1)
    count, minutes = counted(run)
    assert count == minutes > 0
    assert doubled_signals(run) == 0
    copied = run.value(f"SELECT count(*) {TARGET}")
    if decision == "keep":
        assert copied == run.value(ACTIVE)
        assert run.value(DEFINITION, [READER]) != legacy
        assert counted(run, legacy)[0] == 2 * minutes  # why the old reader may not come back
        assert run.value(DEFINITION, [SIGNALS]) != legacy_signals
        assert doubled_signals(run, legacy_signals) == 200
    else:
        assert copied == 0
        assert run.value(DEFINITION, [READER]) == legacy
        assert run.value(DEFINITION, [SIGNALS]) == legacy_signals


def test_the_legacy_reader_is_the_one_that_the_world_ships() -> None:
    assert "UNION ALL" in sql_files.read("legacy/07_aggregate_1m_to_5m")
