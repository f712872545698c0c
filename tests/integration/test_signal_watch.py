"""The demo looks as the signal engine does, and a bar that was ever seen twice is a deviation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bars import connections, deployment, sql_files
from controlpanel.demo import headless, proof
from controlpanel.demo.signal_watch import SignalWatch
from controlpanel.embedded_databases import TargetUrls

Conn = psycopg.Connection[tuple[Any, ...]]

TRANSITION = Path("bars/runbooks/dxy_1m/3_create_function/transition_signals.sql")
SINGLE_TABLE = Path("bars/runbooks/dxy_1m/5_code_switch/single_table_signals.sql")


@pytest.fixture
def conn(bars_target: TargetUrls) -> Iterator[Conn]:
    with connections.connect(bars_target.app_url, application_name="bars-test") as opened:
        yield opened


@pytest.fixture
def watch(bars_target: TargetUrls) -> Iterator[SignalWatch]:
    with SignalWatch(bars_target.app_url, bars=100, every_s=0.0) as opened:
        yield opened


def _copy_history(conn: Conn) -> None:
    conn.execute(
        "INSERT INTO data_bars (canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial,"
        " source, ingested_at, raw) SELECT canonical_symbol, timeframe, ts_utc, open, high, low, close,"
        " is_partial, 'synthetic', ingested_at, raw FROM derived_data_bars"
        " WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL"
    )


def _retire_originals(conn: Conn) -> None:
    conn.execute(
        "UPDATE derived_data_bars SET deleted_at = now() WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
    )


def _install(bars_target: TargetUrls, file: Path) -> None:
    with psycopg.connect(bars_target.runner_url) as conn:
        conn.execute((Path(__file__).parents[2] / file).read_bytes())


def _report(proven: proof.Proof, watch: SignalWatch) -> dict[str, Any]:
    return {
        "state": "completed",
        "rows": headless.rows_proven(proven, watch) | {"written_during_run": 1},
        "signals": {"looks": watch.looks, "doubled": len(watch.doubled)},
        "audit": {"verified": True},
        "leftovers": [],
    }


def test_the_legacy_body_on_filled_tables_is_noticed_minute_by_minute(conn: Conn, watch: SignalWatch) -> None:
    watch.look()
    assert (watch.looks, watch.doubled) == (1, {})
    _copy_history(conn)
    watch.look()
    assert len(watch.doubled) == 50
    assert all("seen twice by the legacy signal engine" in text for text in watch.doubled.values())


@pytest.mark.parametrize("file", [TRANSITION, SINGLE_TABLE], ids=lambda file: file.stem)
def test_the_bodies_that_the_runbook_installs_show_each_minute_once(
    conn: Conn, watch: SignalWatch, bars_target: TargetUrls, file: Path
) -> None:
    _copy_history(conn)
    _install(bars_target, file)
    watch.look()
    assert (watch.looks, watch.doubled) == (1, {})


def test_the_transition_body_shows_originals_and_never_their_copies(
    conn: Conn, bars_target: TargetUrls
) -> None:
    newest = "SELECT ts_utc, close FROM signal_bars('DXY', '1m', 90)"
    before = conn.execute(newest).fetchall()
    _copy_history(conn)
    _install(bars_target, TRANSITION)
    assert conn.execute(newest).fetchall() == before
    conn.execute("UPDATE data_bars SET close = 1 WHERE canonical_symbol = 'DXY'")
    assert conn.execute(newest).fetchall() == before
    _retire_originals(conn)
    assert conn.execute(newest).fetchall() == []


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h"])
@pytest.mark.parametrize("file", [TRANSITION, SINGLE_TABLE], ids=lambda file: file.stem)
def test_no_body_changes_what_the_pairs_look_like(
    conn: Conn, bars_target: TargetUrls, file: Path, timeframe: str
) -> None:
    newest = "SELECT * FROM signal_bars('EURUSD', %s, 20)"
    before = conn.execute(newest, [timeframe]).fetchall()
    assert len(before) == 20
    _install(bars_target, file)
    assert conn.execute(newest, [timeframe]).fetchall() == before


def test_a_double_that_is_gone_at_the_end_is_still_a_deviation(
    conn: Conn, watch: SignalWatch, tmp_path: Path
) -> None:
    before = proof.history(conn)
    _copy_history(conn)
    watch.look()
    conn.execute("DELETE FROM data_bars WHERE canonical_symbol = 'DXY'")
    proven = proof.prove(conn, state="legacy", before=before, journal=tmp_path / "none")
    assert proven.holds
    assert headless.deviations(_report(proven, watch), rollback_after=None) == ["50 bars are duplicated"]
    assert "seen twice" in headless.examples(proven, watch)[0]


def test_nobody_having_looked_is_a_deviation(conn: Conn, watch: SignalWatch, tmp_path: Path) -> None:
    proven = proof.prove(conn, state="legacy", before=proof.history(conn), journal=tmp_path / "none")
    found = headless.deviations(_report(proven, watch), rollback_after=None)
    assert len(found) == 1
    assert "never looked" in found[0]


def test_rows_kept_under_the_old_function_are_doubled_in_the_proof_and_under_the_safe_one_are_not(
    conn: Conn, bars_target: TargetUrls, tmp_path: Path
) -> None:
    before = proof.history(conn)
    _copy_history(conn)
    kept = proof.prove(conn, state="transition", before=before, journal=tmp_path / "none")
    assert kept.duplicated == frozenset(before)
    assert "seen twice by the legacy signal engine" in kept.examples[0]
    _install(bars_target, TRANSITION)
    safe = proof.prove(conn, state="transition", before=before, journal=tmp_path / "none")
    assert safe.holds
    assert safe.expected == len(before) > 1000


def test_a_bar_that_the_signal_engine_misses_is_missing_in_the_proof(
    conn: Conn, bars_target: TargetUrls, tmp_path: Path
) -> None:
    before = proof.history(conn)
    _install(bars_target, SINGLE_TABLE)  # nothing was copied: the engine sees no bar at all
    proven = proof.prove(conn, state="legacy", before=before, journal=tmp_path / "none")
    assert proven.missing == frozenset(before)


def test_the_watch_follows_a_deployment_under_the_name_of_its_version(conn: Conn, watch: SignalWatch) -> None:
    watch.look()
    assert deployment.running(conn).get("bars-signals/legacy") == 1
    deployment.deploy(conn, version="migrated")
    _copy_history(conn)
    watch.look()
    names = deployment.running(conn)
    assert ("bars-signals/legacy" in names, names.get("bars-signals/migrated")) == (False, 1)
    assert watch.doubled == {}


def test_looks_are_no_more_frequent_than_asked(bars_target: TargetUrls) -> None:
    with SignalWatch(bars_target.app_url, bars=10, every_s=3600.0) as watch:
        watch.look()
        watch.look()
        assert watch.looks == 1


def test_only_the_owner_and_its_members_may_read_through_the_function(conn: Conn) -> None:
    row = conn.execute(
        "SELECT prosecdef, proconfig, pg_get_userbyid(proowner),"
        " has_function_privilege('public', oid, 'EXECUTE')"
        " FROM pg_proc WHERE oid = 'public.signal_bars(text, text, integer)'::regprocedure"
    ).fetchone()
    assert row == (True, ["search_path=pg_catalog, public, pg_temp"], "bars_owner", False)


def test_the_legacy_body_is_the_hazard() -> None:
    assert "UNION ALL" in sql_files.read("legacy/10_signal_bars")
