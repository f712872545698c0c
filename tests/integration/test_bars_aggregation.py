"""The aggregator: whole windows, in order, none left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bars import aggregation, connections, feed, loading
from bars.exceptions import DerivationFailed
from controlpanel.embedded_databases import TargetUrls

START = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)

Conn = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def conn(bars_target: TargetUrls) -> Iterator[Conn]:
    with connections.connect(bars_target.app_url, application_name="bars-test") as opened:
        yield opened


def _market_time(conn: Conn, moment: datetime) -> None:
    loading.restart_clock(conn, speed=1e-9)
    conn.execute("UPDATE market_clock SET market_start = %s", [moment])


def _ingest_until(conn: Conn, moment: datetime) -> None:
    _market_time(conn, moment)
    worker = feed.Feed()
    worker.prepare(conn, version="legacy")
    worker.tick(conn)


def _windows(conn: Conn, timeframe: str) -> list[datetime]:
    query = (
        "SELECT ts_utc FROM derived_data_bars WHERE canonical_symbol = 'DXY' AND timeframe = %s"
        " AND ts_utc >= %s ORDER BY 1"
    )
    return [row[0] for row in conn.execute(query, [timeframe, START])]


def _task(conn: Conn, timeframe: str = "5m") -> tuple[Any, ...]:
    query = (
        "SELECT last_agg_bar_ts_utc, status, last_error IS NULL FROM data_agg_state"
        " WHERE canonical_symbol = 'DXY' AND timeframe = %s"
    )
    row = conn.execute(query, [timeframe]).fetchone()
    assert row is not None
    return row


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def test_windows_are_made_when_they_are_whole(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(14))
    aggregation.Aggregator().tick(conn)
    assert _windows(conn, "5m") == [START, START + _minutes(5)]
    assert _task(conn) == (START + _minutes(10), "idle", True)


def test_a_window_waits_for_its_delay(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(5))
    aggregation.Aggregator().tick(conn)
    assert _windows(conn, "5m") == []
    _market_time(conn, START + timedelta(minutes=5, seconds=11))
    aggregation.Aggregator().tick(conn)
    assert _windows(conn, "5m") == [START]


def test_a_late_feed_leaves_no_hole(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(7))
    _market_time(conn, START + _minutes(31))  # the feed stands still
    aggregation.Aggregator().tick(conn)
    assert _task(conn) == (START + _minutes(5), "idle", True)
    _ingest_until(conn, START + _minutes(32))
    aggregation.Aggregator().tick(conn)
    assert _windows(conn, "5m") == [START + _minutes(5 * number) for number in range(6)]


def test_1h_bars_wait_for_their_5m_bars(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(62))
    aggregator = aggregation.Aggregator()
    aggregator.tick(conn)
    aggregator.tick(conn)
    assert _windows(conn, "1h") == [START]
    row = conn.execute(
        "SELECT source_candles, quality_score FROM derived_data_bars"
        " WHERE canonical_symbol = 'DXY' AND timeframe = '1h' AND ts_utc = %s", [START]
    ).fetchone()  # fmt: skip
    assert row == (12, 2)


def test_a_minute_corrected_late_reaches_its_5m_bar(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(6))
    aggregation.Aggregator().tick(conn)
    conn.execute(
        "UPDATE derived_data_bars SET high = 119"
        " WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND ts_utc = %s",
        [START + _minutes(1)],
    )
    _ingest_until(conn, START + _minutes(11))
    aggregation.Aggregator().tick(conn)
    row = conn.execute(
        "SELECT high FROM derived_data_bars"
        " WHERE canonical_symbol = 'DXY' AND timeframe = '5m' AND ts_utc = %s",
        [START],
    ).fetchone()
    assert row == (119.0,)


def test_a_failing_task_keeps_its_cursor_is_recorded_and_stops_no_other(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(6))
    conn.execute(
        "ALTER TABLE derived_data_bars ADD CONSTRAINT no_dxy_5m"
        " CHECK (canonical_symbol <> 'DXY' OR timeframe <> '5m') NOT VALID"
    )
    with pytest.raises(DerivationFailed, match="no_dxy_5m"):
        aggregation.Aggregator().tick(conn)
    assert _task(conn) == (START, "idle", False)
    others = conn.execute(
        "SELECT DISTINCT last_agg_bar_ts_utc FROM data_agg_state"
        " WHERE timeframe = '5m' AND canonical_symbol <> 'DXY'"
    ).fetchall()
    assert others == [(START + _minutes(5),)]


def test_a_task_that_never_ran_starts_after_the_newest_bar(conn: Conn) -> None:
    _ingest_until(conn, START + _minutes(11))
    conn.execute("UPDATE data_agg_state SET last_agg_bar_ts_utc = NULL WHERE canonical_symbol = 'DXY'")
    aggregation.Aggregator().tick(conn)
    assert _windows(conn, "5m") == [START, START + _minutes(5)]


def test_closed_hours_move_the_cursor_without_bars(conn: Conn) -> None:
    saturday = datetime(2026, 3, 21, 12, 0, tzinfo=UTC)
    conn.execute("UPDATE data_ingest_state SET next_ts_utc = %s", [saturday])
    conn.execute("UPDATE data_agg_state SET last_agg_bar_ts_utc = %s, next_run_at = %s", [saturday, saturday])
    _ingest_until(conn, saturday + _minutes(20))
    aggregation.Aggregator().tick(conn)
    assert _task(conn) == (saturday + _minutes(15), "idle", True)
