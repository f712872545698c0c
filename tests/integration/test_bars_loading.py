"""Loading the legacy world: as many rows as asked for, from prices that a seed decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bars import loading, market, pairs
from bars.exceptions import AlreadyLoaded, BarsError, NotInstalled
from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls

START = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)  # a Monday

Conn = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def loaded(bars_target: TargetUrls) -> Iterator[Conn]:
    """Three days of history that end on a Monday at 08:00."""
    with psycopg.connect(bars_target.app_url, autocommit=True) as conn:
        yield conn


def _value(conn: Conn, query: str, *arguments: Any) -> Any:
    row = conn.execute(query.encode(), arguments or None).fetchone()
    assert row is not None
    return row[0]


ACTIVE_DXY = "canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL"


@pytest.mark.parametrize("rows", [1, 500, 12_345])
def test_as_many_active_dxy_bars_as_asked_for(target: TargetUrls, rows: int) -> None:
    with psycopg.connect(target.app_url) as conn:
        loaded = loading.load(conn, days=2, rows=rows, market_start=START)
        assert loaded.dxy_active == rows
        assert _value(conn, f"SELECT count(*) FROM derived_data_bars WHERE {ACTIVE_DXY}") == rows
        newest = _value(conn, f"SELECT max(ts_utc) FROM derived_data_bars WHERE {ACTIVE_DXY}")
    assert START - timedelta(minutes=10) < newest < START


def test_history_without_stored_pairs_equals_history_derived_from_them(
    cluster: embedded.Cluster, target: TargetUrls
) -> None:
    closes = f"SELECT ts_utc, close FROM derived_data_bars WHERE {ACTIVE_DXY} ORDER BY ts_utc"
    with psycopg.connect(target.app_url) as conn:
        rows = loading.load(conn, days=5, market_start=START).dxy_active
        derived = conn.execute(closes.encode()).fetchall()
    name = f"{target.dbname}_b"
    try:
        with psycopg.connect(cluster.databases.ensure_target(name).app_url) as conn:
            loading.load(conn, days=1, rows=rows, market_start=START)
            assert conn.execute(closes.encode()).fetchall() == derived
    finally:
        cluster.databases.drop(name)


def test_a_seed_decides_every_price(cluster: embedded.Cluster, target: TargetUrls) -> None:
    def closes(seed: int, name: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(cluster.databases.ensure_target(name).app_url) as conn:
            loading.load(conn, days=1, seed=seed, market_start=START)
            found = conn.execute(
                "SELECT canonical_symbol, ts_utc, close FROM data_bars ORDER BY 1, 2"
            ).fetchall()
        cluster.databases.drop(name)
        return found

    first = closes(7, f"{target.dbname}_1")
    assert first == closes(7, f"{target.dbname}_2")
    assert first != closes(8, f"{target.dbname}_3")


def test_every_active_dxy_bar_is_the_formula_of_its_six_closes(loaded: Conn) -> None:
    closes: dict[datetime, dict[str, float]] = {}
    for symbol, ts, close in loaded.execute("SELECT canonical_symbol, ts_utc, close FROM data_bars"):
        closes.setdefault(ts, {})[symbol] = close
    query = f"SELECT ts_utc, close FROM derived_data_bars WHERE {ACTIVE_DXY}"
    found: dict[datetime, float] = dict(loaded.execute(query.encode()).fetchall())
    assert len(found) > 1000
    for ts, close in found.items():
        assert close == pytest.approx(pairs.dollar_index(closes[ts]), rel=1e-14)


def test_bars_exist_in_trading_hours_alone_and_end_before_the_clock_starts(loaded: Conn) -> None:
    moments = [row[0] for row in loaded.execute("SELECT DISTINCT ts_utc FROM data_bars")]
    assert all(map(market.is_open, moments))
    assert max(moments) == START - timedelta(minutes=1)
    # Friday 08:00 to 22:00 and Sunday 22:00 to Monday 08:00
    assert len(moments) == (14 + 10) * 60


def test_some_minutes_lack_a_component_and_have_no_dxy(loaded: Conn) -> None:
    query = "SELECT ts_utc FROM data_bars GROUP BY ts_utc HAVING count(*) < 6"
    gaps = [row[0] for row in loaded.execute(query)]
    assert 0 < len(gaps) < 40
    assert (
        _value(
            loaded, "SELECT count(*) FROM derived_data_bars WHERE timeframe = '1m' AND ts_utc = ANY(%s)", gaps
        )
        == 0
    )


def test_some_bars_were_withdrawn_and_some_replaced(loaded: Conn) -> None:
    query = """
        SELECT count(*) FILTER (WHERE now_active.id IS NULL),
               count(*) FILTER (WHERE now_active.derivation_version = 2),
               count(*) FILTER (WHERE now_active.close = old.close)
          FROM derived_data_bars AS old
          LEFT JOIN derived_data_bars AS now_active
            ON now_active.canonical_symbol = 'DXY' AND now_active.timeframe = '1m'
               AND now_active.ts_utc = old.ts_utc AND now_active.deleted_at IS NULL
         WHERE old.canonical_symbol = 'DXY' AND old.timeframe = '1m' AND old.deleted_at IS NOT NULL
    """
    row = loaded.execute(query).fetchone()
    assert row is not None
    withdrawn, replaced, equal = row
    assert withdrawn > 0
    assert replaced > 0
    assert equal == 0


def test_prices_stay_near_the_reference_rates(loaded: Conn) -> None:
    for pair in pairs.PAIRS:
        level = market.reference_level(pair.symbol, START.date())
        lowest, highest = loaded.execute(
            "SELECT min(low) / %(level)s, max(high) / %(level)s"
            " FROM data_bars WHERE canonical_symbol = %(symbol)s",
            {"level": level, "symbol": pair.symbol},
        ).fetchone() or (0, 0)
        assert 0.97 < lowest < highest < 1.03, pair.symbol


def test_bars_are_well_formed_and_each_opens_where_the_last_closed(loaded: Conn) -> None:
    shape = "low <= least(open, close) AND greatest(open, close) <= high"
    assert _value(loaded, f"SELECT count(*) FROM data_bars WHERE NOT ({shape})") == 0
    query = """
        SELECT max(abs(open - before) / open)
          FROM (SELECT open, lag(close) OVER bars AS before, ts_utc - lag(ts_utc) OVER bars AS step
                  FROM data_bars WINDOW bars AS (PARTITION BY canonical_symbol ORDER BY ts_utc)) AS bar
         WHERE step = interval '1 minute'
    """
    assert _value(loaded, query) < 0.0001


def test_5m_and_1h_bars_follow_from_the_1m_bars(loaded: Conn) -> None:
    missing = """
        SELECT count(*) FROM (
            SELECT date_bin('5 minutes', ts_utc, 'epoch') AS ts,
                   (array_agg(close ORDER BY ts_utc DESC))[1] AS close, count(*) AS n
              FROM data_bars WHERE canonical_symbol = 'USDJPY' GROUP BY 1) AS expected
          LEFT JOIN derived_data_bars AS found ON found.canonical_symbol = 'USDJPY' AND found.timeframe = '5m'
               AND found.ts_utc = expected.ts AND found.close = expected.close AND found.source_candles = n
         WHERE found.id IS NULL AND n >= 3
    """
    assert _value(loaded, missing) == 0
    assert (
        _value(
            loaded,
            "SELECT count(*) FROM derived_data_bars WHERE timeframe = '1h' AND canonical_symbol = 'DXY'",
        )
        == 24
    )


def test_cursors_stand_at_the_end_of_the_data(loaded: Conn) -> None:
    assert _value(loaded, "SELECT array_agg(DISTINCT next_ts_utc) FROM data_ingest_state") == [START]
    assert _value(loaded, "SELECT array_agg(DISTINCT last_agg_bar_ts_utc) FROM data_agg_state") == [START]
    assert _value(loaded, "SELECT count(*) FROM data_agg_state WHERE status = 'idle'") == 14
    assert (
        _value(
            loaded,
            "SELECT count(*) FROM data_ingest_state WHERE last_bar_ts_utc > now() - interval '1 second'",
        )
        == 0
    )


def test_no_bar_was_ingested_after_the_clock_started(loaded: Conn) -> None:
    for table in ("data_bars", "derived_data_bars"):
        assert _value(loaded, f"SELECT count(*) FROM {table} WHERE ingested_at > market_now()") == 0


def test_a_second_load_is_refused_and_changes_nothing(loaded: Conn) -> None:
    before = _value(loaded, "SELECT count(*) FROM derived_data_bars")
    with pytest.raises(AlreadyLoaded, match="holds bars already"):
        loading.load(loaded, days=1, market_start=START)
    assert _value(loaded, "SELECT count(*) FROM derived_data_bars") == before
    assert _value(loaded, "SELECT speed FROM market_clock") == 1


def test_an_interrupted_load_is_discarded_and_loaded_anew(
    target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with psycopg.connect(target.app_url, autocommit=True) as conn:
        monkeypatch.setattr(loading._Filling, "_derive_dxy", interrupt)
        with pytest.raises(KeyboardInterrupt):
            loading.load(conn, days=2, market_start=START)
        assert _value(conn, "SELECT EXISTS (SELECT FROM data_bars)")
        monkeypatch.undo()
        assert loading.discard_unfinished(conn)
        assert not loading.is_installed(conn)
        assert loading.load(conn, days=2, market_start=START).dxy_active > 0


def test_a_world_that_was_only_installed_is_unfinished(target: TargetUrls) -> None:
    with psycopg.connect(target.app_url, autocommit=True) as conn:
        loading.install(conn)
        assert loading.discard_unfinished(conn)


def test_a_finished_load_is_never_discarded(loaded: Conn) -> None:
    assert not loading.discard_unfinished(loaded)
    assert _value(loaded, "SELECT EXISTS (SELECT FROM data_bars)")


def test_without_a_clock_the_data_end_now(target: TargetUrls) -> None:
    with psycopg.connect(target.app_url) as conn:
        loaded = loading.load(conn, days=1)
        assert _value(conn, "SELECT count(*) FROM market_clock") == 0
        assert _value(conn, "SELECT market_now() - %s < interval '5 minutes'", loaded.stop) is True


def test_a_compressed_load_starts_on_a_monday_morning(target: TargetUrls) -> None:
    with psycopg.connect(target.app_url) as conn:
        loaded = loading.load(conn, days=1, speed=60)
    assert (loaded.stop.weekday(), loaded.stop.hour, loaded.stop.minute) == (0, 8, 0)


def test_restarting_the_clock_leaves_nothing_to_catch_up(loaded: Conn) -> None:
    loaded.execute("UPDATE market_clock SET real_start = real_start - interval '3 hours'")
    assert loading.restart_clock(loaded, speed=60) == START
    assert _value(loaded, "SELECT market_now() < %s", START + timedelta(minutes=30)) is True


def test_a_login_that_is_no_member_of_the_owner_is_refused(
    cluster: embedded.Cluster, target: TargetUrls
) -> None:
    with psycopg.connect(target.dsn, autocommit=True) as conn:
        conn.execute("SET SESSION AUTHORIZATION pg_monitor")
        with pytest.raises(NotInstalled, match="member of bars_owner"):
            loading.install(conn)
        conn.execute("RESET SESSION AUTHORIZATION")
        assert not loading.is_installed(conn)


@pytest.mark.parametrize(
    "refused",
    [
        lambda conn: loading.load(conn, days=0),
        lambda conn: loading.load(conn, rows=0),
        lambda conn: loading.load(conn, speed=0),
    ],
)
def test_senseless_sizes_are_refused(target: TargetUrls, refused: Callable[[Conn], Any]) -> None:
    with psycopg.connect(target.app_url) as conn, pytest.raises(BarsError, match="at least 1"):
        refused(conn)


def test_a_connection_inside_a_transaction_is_refused(target: TargetUrls) -> None:
    with psycopg.connect(target.app_url) as conn:
        conn.execute("SELECT 1")
        with pytest.raises(BarsError, match="open transaction"):
            loading.load(conn, days=1)
        conn.rollback()


def test_the_connection_is_given_back_as_it_was(target: TargetUrls) -> None:
    with psycopg.connect(target.app_url, autocommit=True) as conn:
        conn.execute("SET TimeZone = 'America/New_York'")
        loading.load(conn, days=1, market_start=START)
        assert _value(conn, "SELECT current_user::text") == "bars_app"
        assert _value(conn, "SELECT current_setting('TimeZone')") == "America/New_York"


def test_the_command_loads_and_says_what_is_there(run_manage: Any, target: TargetUrls) -> None:
    done = run_manage("bars", "load", "--rows", "100", "--days", "1", "--speed", "60")
    assert (done.returncode, done.stderr) == (0, "")
    assert "100 active" in done.stdout
    again = run_manage("bars", "load")
    assert again.returncode == 1
    assert "holds bars already" in again.stderr
    assert run_manage("bars", "load", "--rows", "0").returncode == 2
    unknown = run_manage("bars", "load", "--alias", "elsewhere")
    assert unknown.returncode == 1
    assert "BARS_APP_URL_ELSEWHERE" in unknown.stderr
