"""calc_dxy_range_1m: the same verdict and bars, whatever the range held before and whoever else writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import bars
from controlpanel.embedded_databases import TargetUrls
from tests.integration.sessions import Background, wait_blocked

FUNCTION = Path(bars.__file__).parent / "runbooks" / "dxy_1m" / "3_create_function" / "calc_dxy_range_1m.sql"
HOURS = timedelta(hours=3)
DERIVED = """
SELECT ts_utc, close FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL AND ts_utc >= %s AND ts_utc < %s
 ORDER BY ts_utc
"""
WRITTEN = """
SELECT ts_utc, close FROM public.data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND ts_utc >= %s AND ts_utc < %s ORDER BY ts_utc
"""
WRONG = """
INSERT INTO public.data_bars (
    canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, ingested_at, raw)
VALUES ('DXY', '1m', %s, 1, 1, 1, 1, false, 'synthetic', now(), '{"created_at": "then", "kind": "other"}')
"""

Conn = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def owner(bars_target: TargetUrls) -> Iterator[Conn]:
    with psycopg.connect(bars_target.owner_url, autocommit=True) as conn:
        conn.execute(FUNCTION.read_bytes())
        yield conn


def a_range(conn: Conn) -> tuple[Any, Any]:
    row = conn.execute("SELECT max(ts_utc) FROM public.derived_data_bars WHERE timeframe = '1m'").fetchone()
    assert row is not None
    return row[0] - HOURS, row[0]


def call(conn: Conn, start: Any, stop: Any) -> dict[str, Any]:
    row = conn.execute("SELECT public.calc_dxy_range_1m(%s, %s, 1)", (start, stop)).fetchone()
    assert row is not None
    return dict(row[0])


def test_an_empty_range_gets_the_very_bars_of_the_old_function(owner: Conn) -> None:
    start, stop = a_range(owner)
    wanted = owner.execute(DERIVED, (start, stop)).fetchall()
    assert len(wanted) > 100
    verdict = call(owner, start, stop)
    assert (verdict["success"], verdict["upserted"]) == (True, len(wanted))
    assert verdict["skipped"] == HOURS / timedelta(minutes=1) - len(wanted)
    assert owner.execute(WRITTEN, (start, stop)).fetchall() == wanted


def test_bars_that_are_there_are_written_over_and_keep_their_creation(owner: Conn) -> None:
    start, stop = a_range(owner)
    wanted = owner.execute(DERIVED, (start, stop)).fetchall()
    owner.execute(WRONG, (wanted[7][0],))
    assert call(owner, start, stop)["upserted"] == len(wanted)
    assert owner.execute(WRITTEN, (start, stop)).fetchall() == wanted
    kept = owner.execute(
        "SELECT raw ->> 'created_at', raw ->> 'kind' FROM public.data_bars "
        "WHERE canonical_symbol = 'DXY' AND ts_utc = %s",
        (wanted[7][0],),
    ).fetchone()
    assert kept == ("then", "dxy")
    assert call(owner, start, stop)["upserted"] == len(wanted), "again, over its own"
    assert owner.execute(WRITTEN, (start, stop)).fetchall() == wanted


def test_a_bar_that_arrives_during_the_call_is_written_over(owner: Conn, bars_target: TargetUrls) -> None:
    """The call found the range empty, and inserts; another session's bar must not make it fail."""
    start, stop = a_range(owner)
    wanted = owner.execute(DERIVED, (start, stop)).fetchall()
    with psycopg.connect(bars_target.owner_url) as faster, psycopg.connect(bars_target.dsn) as watcher:
        watcher.autocommit = True
        faster.execute(WRONG, (wanted[7][0],))
        slower = Background(lambda: call(owner, start, stop))
        wait_blocked(watcher, owner.info.backend_pid)
        faster.commit()
        assert slower.result()["upserted"] == len(wanted)
    assert owner.execute(WRITTEN, (start, stop)).fetchall() == wanted
