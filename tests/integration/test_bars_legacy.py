"""The legacy tables and functions, as the migration finds them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bars import loading, market, pairs, sql_files
from controlpanel.embedded_databases import TargetUrls

T0 = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)
CHECK_CLOSES = {
    "EURUSD": 1.05,
    "USDJPY": 108.50,
    "GBPUSD": 1.25,
    "USDCAD": 1.30,
    "USDSEK": 10.15,
    "USDCHF": 0.92,
}

Conn = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def legacy(target: TargetUrls) -> Iterator[Conn]:
    """The legacy world with its symbols and no bars, as the bars application sees it."""
    with psycopg.connect(target.app_url, autocommit=True) as conn:
        loading.install(conn)
        conn.execute(sql_files.read("load/registry"), market.pair_parameters())
        yield conn


def _ingest(conn: Conn, symbol: str, ts: datetime, close: float | None, **columns: Any) -> None:
    values = {
        "canonical_symbol": symbol, "provider_ticker": f"C:{symbol}", "timeframe": "1m", "ts_utc": ts,
        "open": close, "high": close, "low": close, "close": close, "is_partial": False, "source": "massive",
        "ingested_at": ts, "raw": "{}",
    } | columns  # fmt: skip
    _insert(conn, "data_bars", values)


def _derive(conn: Conn, ts: datetime, close: float, *, timeframe: str = "1m", **columns: Any) -> None:
    values = {
        "canonical_symbol": "DXY", "timeframe": timeframe, "ts_utc": ts,
        "open": close, "high": close, "low": close, "close": close,
    } | columns  # fmt: skip
    _insert(conn, "derived_data_bars", values)


def _insert(conn: Conn, table: str, values: dict[str, Any]) -> None:
    conn.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        values,
    )


def _call(conn: Conn, function: str, *arguments: Any) -> Any:
    statement = sql.SQL("SELECT {}({})").format(
        sql.Identifier(function), sql.SQL(", ").join(sql.Placeholder() * len(arguments))
    )
    row = conn.execute(statement, arguments).fetchone()
    assert row is not None
    return row[0]


def _derived(conn: Conn, timeframe: str) -> list[dict[str, Any]]:
    cursor = conn.cursor(row_factory=psycopg.rows.dict_row)
    cursor.execute(
        "SELECT * FROM derived_data_bars WHERE timeframe = %s AND deleted_at IS NULL ORDER BY ts_utc",
        [timeframe],
    )
    return cursor.fetchall()


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


# -- DXY 1m


def test_the_function_gives_the_check_value_and_equals_the_formula(legacy: Conn) -> None:
    for symbol, close in CHECK_CLOSES.items():
        _ingest(legacy, symbol, T0, close)
    answer = _call(legacy, "calc_dxy_range_derived", T0, T0 + _minutes(1), "1m", 3)
    assert answer["success"] is True
    assert (answer["upserted"], answer["skipped"]) == (1, 0)
    [bar] = _derived(legacy, "1m")
    assert bar["close"] == pytest.approx(pairs.dollar_index(CHECK_CLOSES), rel=1e-15)
    assert round(bar["close"], 2) == 101.07
    assert bar["open"] == bar["high"] == bar["low"] == bar["close"]
    assert (bar["source"], bar["quality_score"], bar["derivation_version"]) == ("dxy", 2, 3)


@pytest.mark.parametrize("close", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_minute_with_an_unusable_component_gives_no_bar_and_is_counted(
    legacy: Conn, close: float | None
) -> None:
    for minute in range(3):
        for symbol, good in CHECK_CLOSES.items():
            unusable = symbol == "USDSEK" and minute == 1
            _ingest(legacy, symbol, T0 + _minutes(minute), close if unusable else good)
    answer = _call(legacy, "calc_dxy_range_derived", T0, T0 + _minutes(3), "1m", 1)
    assert (answer["success"], answer["upserted"], answer["skipped"]) == (True, 2, 1)
    assert [bar["ts_utc"] for bar in _derived(legacy, "1m")] == [T0, T0 + _minutes(2)]


def test_ranges_are_half_open(legacy: Conn) -> None:
    for minute in range(3):
        for symbol, close in CHECK_CLOSES.items():
            _ingest(legacy, symbol, T0 + _minutes(minute), close)
    _call(legacy, "calc_dxy_range_derived", T0 + _minutes(1), T0 + _minutes(2), "1m", 1)
    assert [bar["ts_utc"] for bar in _derived(legacy, "1m")] == [T0 + _minutes(1)]


def test_deriving_again_replaces_the_active_bar_and_leaves_withdrawn_ones(legacy: Conn) -> None:
    for symbol, close in CHECK_CLOSES.items():
        _ingest(legacy, symbol, T0, close)
    _derive(legacy, T0, 1.0, deleted_at=T0)
    _derive(legacy, T0, 2.0)
    _call(legacy, "calc_dxy_range_derived", T0, T0 + _minutes(1), "1m", 2)
    rows = legacy.execute(
        "SELECT round(close::numeric, 2)::float, deleted_at IS NULL FROM derived_data_bars ORDER BY id"
    ).fetchall()
    assert rows == [(1.0, False), (101.07, True)]


@pytest.mark.parametrize(
    "arguments",
    [
        (T0, T0, "1m", 1),
        (T0, T0 - _minutes(1), "1m", 1),
        (None, T0, "1m", 1),
        (T0, T0 + _minutes(5), "5m", 1),
        (T0, T0 + _minutes(5), None, 1),
    ],
)
def test_nonsense_is_answered_with_success_false_and_the_reason(
    legacy: Conn, arguments: tuple[Any, ...]
) -> None:
    answer = _call(legacy, "calc_dxy_range_derived", *arguments)
    assert answer["success"] is False
    assert answer["sqlstate"] == "22023"
    assert answer["error"]


def test_trouble_in_a_function_is_reported_and_not_raised(legacy: Conn) -> None:
    legacy.execute("SET ROLE bars_owner")
    legacy.execute("ALTER TABLE derived_data_bars ADD CONSTRAINT low_index CHECK (close < 100)")
    for symbol, close in CHECK_CLOSES.items():
        _ingest(legacy, symbol, T0, close)
    answer = _call(legacy, "calc_dxy_range_derived", T0, T0 + _minutes(1), "1m", 1)
    assert answer["success"] is False
    assert answer["sqlstate"] == "23514"
    assert _derived(legacy, "1m") == []


# -- 5m and 1h


def test_a_5m_bar_opens_with_the_first_and_closes_with_the_last(legacy: Conn) -> None:
    rows = [
        (1.2, 1.9, 1.1, 1.5),
        (1.5, 1.6, 0.7, 0.9),
        (0.9, 1.0, 0.8, 0.95),
        (0.95, 2.5, 0.9, 2.0),
        (2.0, 2.1, 1.4, 1.45),
    ]
    # written in another order than they happened
    for minute in (3, 0, 4, 1, 2):
        first, high, low, last = rows[minute]
        _ingest(legacy, "EURUSD", T0 + _minutes(minute), last, open=first, high=high, low=low)
    answer = _call(legacy, "aggregate_1m_to_5m_window", "EURUSD", T0)
    assert (answer["success"], answer["stored"], answer["source_count"]) == (True, 1, 5)
    [bar] = _derived(legacy, "5m")
    assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (1.2, 2.5, 0.7, 1.45)
    assert (bar["ts_utc"], bar["source"], bar["is_partial"]) == (T0, "agg", False)


def test_volumes_are_summed_and_vwap_is_weighted_by_volume(legacy: Conn) -> None:
    for minute, (vol, vwap) in enumerate([(10.0, 1.0), (30.0, 2.0), (60.0, 3.0), (0.0, None), (None, None)]):
        _ingest(legacy, "EURUSD", T0 + _minutes(minute), 1.0, vol=vol, vwap=vwap, trade_count=minute)
    _call(legacy, "aggregate_1m_to_5m_window", "EURUSD", T0)
    [bar] = _derived(legacy, "5m")
    assert bar["vol"] == 100.0
    assert bar["vwap"] == pytest.approx((10 * 1 + 30 * 2 + 60 * 3) / 100)
    assert bar["trade_count"] == 10


@pytest.mark.parametrize(("present", "quality"), [(5, 2), (4, 1), (3, 0), (2, None), (1, None), (0, None)])
def test_quality_of_a_5m_bar_says_how_many_minutes_it_had(
    legacy: Conn, present: int, quality: int | None
) -> None:
    for minute in range(present):
        _derive(legacy, T0 + _minutes(minute), 100.0 + minute)
    _call(legacy, "aggregate_1m_to_5m_window", "DXY", T0)
    found = [
        (bar["quality_score"], bar["source_candles"], bar["is_partial"]) for bar in _derived(legacy, "5m")
    ]
    assert found == ([] if quality is None else [(quality, present, present < 5)])


@pytest.mark.parametrize(
    ("present", "quality"), [(12, 2), (11, 1), (10, 1), (9, 0), (8, 0), (7, -1), (6, None), (0, None)]
)
def test_quality_of_a_1h_bar_says_how_many_5m_bars_it_had(
    legacy: Conn, present: int, quality: int | None
) -> None:
    for number in range(present):
        _derive(legacy, T0 + _minutes(5 * number), 100.0 + number, timeframe="5m")
    _call(legacy, "aggregate_5m_to_1h_window", "DXY", T0)
    found = [
        (bar["quality_score"], bar["source_candles"], bar["expected_candles"])
        for bar in _derived(legacy, "1h")
    ]
    assert found == ([] if quality is None else [(quality, present, 12)])


def test_a_bar_that_is_in_both_tables_is_counted_twice(legacy: Conn) -> None:
    """The hazard that a copy of history creates for every reader of the legacy functions."""
    for minute in range(2):
        _derive(legacy, T0 + _minutes(minute), 100.0)
        _ingest(legacy, "DXY", T0 + _minutes(minute), 100.0, source="synthetic", provider_ticker=None)
    _call(legacy, "aggregate_1m_to_5m_window", "DXY", T0)
    [bar] = _derived(legacy, "5m")
    # two minutes alone would give no bar at all
    assert (bar["source_candles"], bar["quality_score"]) == (4, 1)


def test_withdrawn_and_incomplete_bars_do_not_count(legacy: Conn) -> None:
    for minute in range(3):
        _derive(legacy, T0 + _minutes(minute), 100.0)
    _derive(legacy, T0 + _minutes(3), 500.0, deleted_at=T0)
    _ingest(legacy, "DXY", T0 + _minutes(4), None, source="synthetic")
    _call(legacy, "aggregate_1m_to_5m_window", "DXY", T0)
    [bar] = _derived(legacy, "5m")
    assert (bar["source_candles"], bar["high"]) == (3, 100.0)


@pytest.mark.parametrize("timeframe", ["5m", "1h"])
def test_a_range_in_one_statement_equals_its_windows_one_by_one(
    bars_target: TargetUrls, timeframe: str
) -> None:
    function, minutes = {"5m": ("aggregate_1m_to_5m", 5), "1h": ("aggregate_5m_to_1h", 60)}[timeframe]
    columns = (
        "ts_utc, open, high, low, close, vol, vwap, trade_count, source_candles, quality_score, is_partial"
    )
    scope = "FROM derived_data_bars WHERE canonical_symbol = 'EURUSD' AND timeframe = %s"
    select, delete = f"SELECT {columns} {scope} ORDER BY ts_utc", f"DELETE {scope}"
    start, stop = datetime(2026, 3, 15, 20, tzinfo=UTC), datetime(2026, 3, 16, 8, tzinfo=UTC)
    with psycopg.connect(bars_target.app_url, autocommit=True) as conn:
        conn.execute(delete, [timeframe])
        assert _call(conn, f"{function}_range", "EURUSD", start, stop)["success"] is True
        at_once = conn.execute(select, [timeframe]).fetchall()
        conn.execute(delete, [timeframe])
        window = start
        while window < stop:
            assert _call(conn, f"{function}_window", "EURUSD", window)["success"] is True
            window += _minutes(minutes)
        assert conn.execute(select, [timeframe]).fetchall() == at_once
    assert len(at_once) == {"5m": 120, "1h": 10}[timeframe]


def test_an_unknown_timeframe_is_answered_with_success_false(legacy: Conn) -> None:
    answer = _call(legacy, "catchup_aggregation_range", "DXY", "2h", T0, T0 + _minutes(120))
    assert answer["success"] is False
    assert "2h" in answer["error"]


# -- who may what


def test_a_reader_without_bypassrls_sees_no_derived_bar(target: TargetUrls, legacy: Conn) -> None:
    _derive(legacy, T0, 100.0)
    with psycopg.connect(target.dsn) as conn:
        conn.execute("CREATE ROLE bars_stranger")
        conn.execute("GRANT SELECT ON derived_data_bars TO bars_stranger")
        conn.execute("SET LOCAL ROLE bars_stranger")
        assert conn.execute("SELECT count(*) FROM derived_data_bars").fetchone() == (0,)
        conn.rollback()
    with psycopg.connect(target.runner_url) as runner:
        assert runner.execute("SELECT count(*) FROM derived_data_bars").fetchone() == (1,)


def test_a_stranger_may_call_no_function(target: TargetUrls, legacy: Conn) -> None:
    with psycopg.connect(target.dsn) as conn:
        conn.execute("CREATE ROLE bars_stranger")
        rows = conn.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND has_function_privilege('bars_stranger', oid, 'EXECUTE')"
        ).fetchall()
        conn.rollback()
    assert rows == []


def test_every_function_runs_as_the_owner_with_a_pinned_search_path(legacy: Conn) -> None:
    rows = legacy.execute(
        "SELECT proname, pg_get_userbyid(proowner), prosecdef, proconfig FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype"
    ).fetchall()
    assert len(rows) == 12
    for name, owner, definer, config in rows:
        assert (name, owner, definer) == (name, "bars_owner", True)
        assert config == ["search_path=pg_catalog, public, pg_temp"], name


def test_every_table_belongs_to_the_owner(legacy: Conn) -> None:
    owners = legacy.execute(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    ).fetchall()
    assert owners == [("bars_owner",)]


# -- tables


def test_a_key_has_one_active_derived_row_and_any_number_of_withdrawn_ones(legacy: Conn) -> None:
    for _ in range(3):
        _derive(legacy, T0, 1.0, deleted_at=T0)
    _derive(legacy, T0, 1.0)
    with pytest.raises(psycopg.errors.UniqueViolation):
        _derive(legacy, T0, 1.0)


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"provider_ticker": None}, psycopg.errors.CheckViolation),
        ({"timeframe": "3m"}, psycopg.errors.CheckViolation),
        ({"source": None}, psycopg.errors.NotNullViolation),
        ({"raw": None}, psycopg.errors.NotNullViolation),
        ({"canonical_symbol": "XAUUSD"}, psycopg.errors.ForeignKeyViolation),
    ],
)
def test_data_bars_refuses_what_the_feed_never_writes(
    legacy: Conn, columns: dict[str, Any], error: type[psycopg.Error]
) -> None:
    with pytest.raises(error):
        _ingest(legacy, "EURUSD", T0, 1.0, **columns)


def test_an_update_of_a_derived_bar_moves_updated_at_alone(legacy: Conn) -> None:
    _derive(legacy, T0, 1.0, created_at=T0, updated_at=T0)
    legacy.execute("UPDATE derived_data_bars SET close = 2")
    row = legacy.execute(
        "SELECT created_at, updated_at > now() - interval '1 minute' FROM derived_data_bars"
    ).fetchone()
    assert row == (T0, True)


def test_the_registry_has_neither_description_nor_metadata(legacy: Conn) -> None:
    rows = legacy.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'core_asset_registry_all'"
    ).fetchall()
    assert {"description", "metadata"}.isdisjoint({row[0] for row in rows})


# -- clock


def test_without_a_row_the_market_runs_on_real_time(legacy: Conn) -> None:
    row = legacy.execute("SELECT market_now() = statement_timestamp()").fetchone()
    assert row == (True,)


def test_a_compressed_clock_runs_at_its_speed_from_its_start(legacy: Conn) -> None:
    legacy.execute("INSERT INTO market_clock VALUES (true, now() - interval '10 seconds', %s, 60)", [T0])
    row = legacy.execute("SELECT market_now()").fetchone()
    assert row is not None
    assert T0 + _minutes(10) <= row[0] < T0 + _minutes(20)


# -- aggregation tasks


def _task(conn: Conn, *, mandatory: bool = True, cursor: datetime | None = T0) -> None:
    conn.execute(
        "INSERT INTO data_agg_state (canonical_symbol, timeframe, source_timeframe, run_interval_minutes,"
        " is_mandatory, last_agg_bar_ts_utc, next_run_at) VALUES ('DXY', '5m', '1m', 5, %s, %s, %s)",
        [mandatory, cursor, T0],
    )


def _state(conn: Conn) -> tuple[Any, ...]:
    row = conn.execute("SELECT status, hard_fail_streak, last_agg_bar_ts_utc FROM data_agg_state").fetchone()
    assert row is not None
    return row


def test_a_due_task_is_claimed_once(legacy: Conn) -> None:
    _task(legacy)
    assert legacy.execute("SELECT count(*) FROM agg_get_due_tasks()").fetchone() == (1,)
    assert _call(legacy, "agg_start", "DXY", "5m") is True
    assert _call(legacy, "agg_start", "DXY", "5m") is False
    assert legacy.execute("SELECT count(*) FROM agg_get_due_tasks()").fetchone() == (0,)


def test_a_task_of_an_inactive_symbol_is_not_due(legacy: Conn) -> None:
    _task(legacy)
    legacy.execute("UPDATE core_asset_registry_all SET active = false WHERE canonical_symbol = 'DXY'")
    assert legacy.execute("SELECT count(*) FROM agg_get_due_tasks()").fetchone() == (0,)


def test_a_task_left_running_is_due_again_after_three_intervals(legacy: Conn) -> None:
    _task(legacy)
    _call(legacy, "agg_start", "DXY", "5m")
    legacy.execute("UPDATE data_agg_state SET last_attempted_at = market_now() - interval '16 minutes'")
    assert legacy.execute("SELECT count(*) FROM agg_get_due_tasks()").fetchone() == (1,)
    assert _call(legacy, "agg_start", "DXY", "5m") is True


def test_the_cursor_moves_on_success_alone(legacy: Conn) -> None:
    _task(legacy)
    _call(legacy, "agg_start", "DXY", "5m")
    _call(legacy, "agg_finish", "DXY", "5m", False, None, "broken", True)
    assert _state(legacy) == ("idle", 1, T0)
    _call(legacy, "agg_start", "DXY", "5m")
    _call(legacy, "agg_finish", "DXY", "5m", True, T0 + _minutes(5))
    assert _state(legacy) == ("idle", 0, T0 + _minutes(5))


@pytest.mark.parametrize(("mandatory", "status"), [(True, "hard_failed"), (False, "disabled")])
def test_three_failures_of_the_aggregation_itself_stop_the_task(
    *, legacy: Conn, mandatory: bool, status: str
) -> None:
    _task(legacy, mandatory=mandatory)
    for _ in range(3):
        assert _call(legacy, "agg_start", "DXY", "5m") is True
        _call(legacy, "agg_finish", "DXY", "5m", False, None, "broken", True)
    assert _state(legacy) == (status, 3, T0)
    assert _call(legacy, "agg_start", "DXY", "5m") is False


def test_passing_trouble_never_stops_a_task(legacy: Conn) -> None:
    _task(legacy)
    for _ in range(5):
        assert _call(legacy, "agg_start", "DXY", "5m") is True
        _call(legacy, "agg_finish", "DXY", "5m", False, None, "lock timeout", False)
    assert _state(legacy) == ("idle", 0, T0)


def test_a_cursor_is_bootstrapped_after_the_newest_bar_else_at_the_first_of_the_source(legacy: Conn) -> None:
    _task(legacy, cursor=None)
    _derive(legacy, T0 + _minutes(7), 100.0)
    assert _call(legacy, "agg_bootstrap_cursor", "DXY", "5m") == T0 + _minutes(5)
    legacy.execute("UPDATE data_agg_state SET last_agg_bar_ts_utc = NULL")
    _derive(legacy, T0 + _minutes(20), 100.0, timeframe="5m")
    assert _call(legacy, "agg_bootstrap_cursor", "DXY", "5m") == T0 + _minutes(25)
    # and it stays where it is afterwards
    _derive(legacy, T0 + _minutes(40), 100.0, timeframe="5m")
    assert _call(legacy, "agg_bootstrap_cursor", "DXY", "5m") == T0 + _minutes(25)
