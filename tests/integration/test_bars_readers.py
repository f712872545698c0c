"""What readers see before, during and after a migration."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bars import connections, pairs, readers, signals
from controlpanel.embedded_databases import TargetUrls

STOP = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Conn = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def conn(bars_target: TargetUrls) -> Iterator[Conn]:
    with connections.connect(bars_target.app_url, application_name="bars-test") as opened:
        yield opened


def _copy_history(conn: Conn) -> None:
    conn.execute(
        "INSERT INTO data_bars (canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial,"
        " source, ingested_at, raw) SELECT canonical_symbol, timeframe, ts_utc, open, high, low, close,"
        " is_partial, 'synthetic', ingested_at, raw FROM derived_data_bars"
        " WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL"
    )


def _seen(conn: Conn, state: readers.State) -> Counter[datetime]:
    return Counter(bar.ts for bar in readers.bars_seen(conn, state=state))


def test_before_a_migration_legacy_readers_see_every_active_bar_once(conn: Conn) -> None:
    rows = conn.execute(
        "SELECT ts_utc FROM derived_data_bars"
        " WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL"
    ).fetchall()
    assert _seen(conn, "legacy") == Counter(row[0] for row in rows)
    assert _seen(conn, "migrated") == Counter()


def test_once_history_is_copied_only_duplicate_safe_readers_see_it_once(conn: Conn) -> None:
    before = _seen(conn, "legacy")
    _copy_history(conn)
    assert _seen(conn, "legacy") == before + before
    assert _seen(conn, "transition") == before
    assert _seen(conn, "migrated") == before


def test_a_bar_that_was_withdrawn_is_not_seen_from_its_copy_in_transition(conn: Conn) -> None:
    before = _seen(conn, "legacy")
    _copy_history(conn)
    conn.execute(
        "UPDATE derived_data_bars SET deleted_at = now() WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
        " AND ts_utc >= %s", [STOP - HOUR]
    )  # fmt: skip
    assert _seen(conn, "transition") == Counter(ts for ts in before.elements() if ts < STOP - HOUR)


def test_bounds_are_half_open_and_rows_come_by_time(conn: Conn) -> None:
    found = [bar.ts for bar in readers.bars_seen(conn, state="legacy", start=STOP - HOUR, stop=STOP)]
    assert found == sorted(found)
    assert found[0] >= STOP - HOUR
    assert found[-1] < STOP
    assert 50 < len(found) <= 60


@pytest.mark.parametrize("state", ["legacy", "transition", "migrated"])
def test_readers_give_the_close_bit_for_bit(conn: Conn, state: readers.State) -> None:
    _copy_history(conn)
    expected: dict[datetime, float] = dict(
        conn.execute(
            "SELECT ts_utc, close FROM derived_data_bars"
            " WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL"
        ).fetchall()
    )
    assert {bar.ts: bar.close for bar in readers.bars_seen(conn, state=state)} == expected


def test_legacy_signals_double_what_both_tables_hold_and_migrated_ones_do_not(conn: Conn) -> None:
    _copy_history(conn)
    legacy = signals.signal_for(conn, symbol="DXY", limit=60, version="legacy")
    migrated = signals.signal_for(conn, symbol="DXY", limit=60, version="migrated")
    assert legacy is not None
    assert migrated is not None
    assert (legacy.bars, legacy.doubled) == (60, 30)
    assert (migrated.bars, migrated.doubled) == (60, 0)
    assert legacy.close == migrated.close


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h"])
def test_both_versions_give_the_pairs_the_same_signal(conn: Conn, timeframe: str) -> None:
    legacy = signals.signal_for(conn, symbol="EURUSD", timeframe=timeframe, limit=20, version="legacy")
    assert legacy is not None
    assert legacy == signals.signal_for(
        conn, symbol="EURUSD", timeframe=timeframe, limit=20, version="migrated"
    )


def test_a_signal_is_the_newest_close_against_the_mean(conn: Conn) -> None:
    bars = signals.latest_bars(conn, symbol="DXY", timeframe="1m", limit=10, version="legacy")
    assert [bar.ts for bar in bars] == sorted((bar.ts for bar in bars), reverse=True)
    signal = signals.signal_for(conn, symbol="DXY", limit=10, version="legacy")
    assert signal is not None
    assert signal.close == bars[0].close
    mean = sum(bar.close for bar in bars) / 10
    assert signal.from_mean_percent == pytest.approx(100 * (bars[0].close - mean) / mean)


def test_a_symbol_without_bars_has_no_signal(conn: Conn) -> None:
    assert signals.signal_for(conn, symbol="DXY", version="migrated") is None


def test_the_command_shows_every_symbol_as_the_deployed_version_reads_it(
    conn: Conn, run_manage: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    def shown() -> dict[str, Any]:
        done = run_manage("bars", "signals", "--json", "--bars", "10")
        assert (done.returncode, done.stderr) == (0, "")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["symbol"]: line for line in lines}

    _copy_history(conn)
    legacy = shown()
    assert set(legacy) == set(pairs.SYMBOLS)
    assert (legacy["EURUSD"]["doubled"], legacy["DXY"]["doubled"]) == (0, 5)
    deployed = run_manage("bars", "deploy", "migrated")
    assert (deployed.returncode, deployed.stdout) == (0, "deployed migrated: nothing is running\n")
    assert shown()["DXY"]["doubled"] == 0


def test_the_command_without_bars_says_so_and_fails(
    target: TargetUrls, run_manage: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    refused = run_manage("bars", "deploy", "migrated")
    assert refused.returncode == 1
    assert "bars load" in refused.stderr
