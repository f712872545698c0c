"""After a rollback that keeps the copies, readers see what the source says: a bar withdrawn later is gone."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from bars import readers, signals
from controlpanel.embedded_databases import TargetUrls
from tests.acceptance.conftest import StartRun
from tests.acceptance.engine_run import EngineRun
from tests.acceptance.living import living

SPEED = 600.0
SOURCE = "FROM public.derived_data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
TARGET = "FROM public.data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m'"
WHOLE_WINDOW = (
    f"SELECT date_bin('5 minutes', ts_utc, 'epoch') AS window_start {SOURCE} AND deleted_at IS NULL "
    "GROUP BY window_start HAVING count(*) = 5 ORDER BY window_start DESC OFFSET 2 LIMIT 1"
)
WITHDRAW = (
    "UPDATE public.derived_data_bars SET deleted_at = now() "
    "WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND ts_utc = %s AND deleted_at IS NULL"
)
NEWEST = 400


def active(run: EngineRun) -> Counter[datetime]:
    """The minutes that the source holds active."""
    return Counter(row[0] for row in run.query(f"SELECT ts_utc {SOURCE} AND deleted_at IS NULL"))


def withdraw(target: TargetUrls, minute: datetime) -> None:
    """What the application does with a bar that turns out wrong."""
    with psycopg.connect(target.app_url) as conn:
        assert conn.execute(WITHDRAW.encode(), [minute]).rowcount == 1


def assert_readers_see_the_source(run: EngineRun, target: TargetUrls, window: datetime) -> None:
    """All three readers: the yardstick, the signal engine, and the aggregation of one window."""
    wanted = active(run)
    in_window = sum(window <= minute < window + timedelta(minutes=5) for minute in wanted)
    with psycopg.connect(target.app_url) as conn:
        assert Counter(bar.ts for bar in readers.bars_seen(conn, state="transition")) == wanted
        bars = signals.latest_bars(conn, symbol="DXY", timeframe="1m", limit=NEWEST, version="legacy")
        assert [bar.ts for bar in bars] == sorted(wanted, reverse=True)[:NEWEST]
        row = conn.execute(
            "SELECT public.aggregate_1m_to_5m_range('DXY', %s, %s, 1)",
            [window, window + timedelta(minutes=5)],
        ).fetchone()
        conn.rollback()
    assert row is not None
    assert (row[0]["success"], row[0]["source_count"]) == (True, in_window)


def test_a_bar_that_is_withdrawn_after_the_rollback_is_not_read_from_its_copy(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    run = start_run(data_decision="keep")
    run.play(1, 2, 3, 4, 5)
    run.undo(5, 4, 3, 2, 1)
    window: datetime = run.value(WHOLE_WINDOW)
    assert_readers_see_the_source(run, bars_target, window)
    minute = window + timedelta(minutes=2)
    withdraw(bars_target, minute)
    assert run.value(f"SELECT count(*) {TARGET} AND ts_utc = %s", [minute]) == 1
    assert_readers_see_the_source(run, bars_target, window)


def test_a_bar_that_new_code_wrote_into_the_copy_is_read_until_the_source_withdraws_it(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    run = start_run(data_decision="keep", clock_speed=SPEED)
    with living(bars_target, tmp_path / "journal", speed=SPEED) as bars:
        run.play(1, 2, 3, 4, 5, 6)
        bars.deploy("migrated")
        before = set(bars.written())
        run.play(7)
        while len(set(bars.written()) - before) < 20:
            time.sleep(0.2)
        by_new_code = set(bars.written()) - before
        bars.deploy("legacy")
        run.undo(7, 6, 5, 4, 3, 2, 1)
    assert by_new_code <= {minute.isoformat() for minute in active(run)}
    window: datetime = run.value(WHOLE_WINDOW)
    assert_readers_see_the_source(run, bars_target, window)
    minute = datetime.fromisoformat(sorted(by_new_code)[5])
    withdraw(bars_target, minute)
    assert run.value(f"SELECT count(*) {TARGET} AND ts_utc = %s", [minute]) == 1
    assert_readers_see_the_source(run, bars_target, window)


def test_a_bar_that_is_withdrawn_while_the_copy_is_there_is_not_read_either(
    start_run: StartRun, bars_target: TargetUrls
) -> None:
    """Before the code switch; the mirror takes the copy away, and readers do not wait for it."""
    run = start_run(data_decision="keep")
    run.play(1, 2, 3, 4)
    window: datetime = run.value(WHOLE_WINDOW)
    minute = window + timedelta(minutes=2)
    withdraw(bars_target, minute)
    assert_readers_see_the_source(run, bars_target, window)
    run.play(5)
    assert run.value(f"SELECT count(*) {TARGET} AND ts_utc = %s", [minute]) == 0
