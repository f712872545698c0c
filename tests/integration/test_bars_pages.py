"""The pages of the bars: series with their freshness, and a chart of both tables."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bars import panel_data
from controlpanel.embedded_databases import ControlUrls, TargetUrls
from tests.pointing import pointed

SERIES = "/admin/bars/series/"
CHART = "/admin/bars/chart/"
COPY = (
    "INSERT INTO data_bars (canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source, "
    "ingested_at, raw) SELECT canonical_symbol, timeframe, ts_utc, open, high, low, close, false, "
    "'synthetic', ingested_at, '{}' FROM derived_data_bars WHERE canonical_symbol = 'DXY' "
    "AND timeframe = '1m' AND deleted_at IS NULL"
)


@pytest.fixture
def reader(control_db: ControlUrls, client: Client) -> Client:
    client.force_login(User.objects.create(username="nadia", is_staff=True))
    return client


def change(urls: TargetUrls, *statements: str) -> None:
    with psycopg.connect(urls.app_url, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


# -- who may look, and what the web may say


@pytest.mark.parametrize("address", [SERIES, CHART])
def test_staff_may_look_and_a_stranger_is_sent_to_the_login(
    reader: Client, bars_target: TargetUrls, address: str
) -> None:
    assert reader.get(address).status_code == 200
    assert reader.post(address).status_code == 405
    assert Client().get(address).status_code == 302


@pytest.mark.parametrize("address", [SERIES, CHART])
def test_a_target_that_is_down_is_said_on_a_page_of_its_own(reader: Client, address: str) -> None:
    with pointed({"bars": "postgresql://phasegate_runner:s3cret@127.0.0.1:1/nowhere"}):
        page = reader.get(address)
    assert page.status_code == 503
    assert "cannot be read now" in text(page)
    assert "s3cret" not in text(page)


@pytest.mark.parametrize("address", [SERIES, CHART])
def test_a_target_without_the_tables_is_said_too(reader: Client, target: TargetUrls, address: str) -> None:
    page = reader.get(address)
    assert page.status_code == 503
    assert "does not exist" in text(page)


@pytest.mark.parametrize(
    "query",
    [
        "symbol=DXY%27%3B+DROP+TABLE+data_bars%3B--",
        "timeframe=1m%27+OR+1%3D1",
        "count=1+OR+1",
        "count=100000",
        "since=1000-01-01T00:00",
        "until=9999-12-31T23:59",
        "since=now()",
        "symbol=%00",
    ],
)
def test_what_is_no_choice_is_refused_before_the_bars_are_read(
    reader: Client, bars_target: TargetUrls, query: str
) -> None:
    with CaptureQueriesContext(connections["bars"]) as queries:
        page = reader.get(f"{CHART}?{query}")
    assert page.status_code == 200
    assert "cannot be drawn" in text(page)
    assert not any("derived" in query["sql"] for query in queries)


# -- the chart


def test_the_newest_bars_are_drawn_with_gaps_and_a_table(reader: Client, bars_target: TargetUrls) -> None:
    page = reader.get(f"{CHART}?symbol=DXY&timeframe=1m&count=60")
    chart = page.context["chart"]
    assert len(chart.slots) == 60
    assert len(chart.candles) + chart.missing == 60
    shown = text(page)
    assert "<svg" in shown
    assert "style=" not in shown.partition("<main")[2]
    assert shown.count('class="g-bar') == len(chart.candles)
    assert "One table alone has bars here" in shown
    assert "The same as a table" in shown


def test_both_tables_are_compared_while_both_are_written(reader: Client, bars_target: TargetUrls) -> None:
    address = f"{CHART}?symbol=DXY&timeframe=1m&count=60"
    change(bars_target, COPY)
    equal = reader.get(address)
    assert equal.context["chart"].compared
    assert equal.context["chart"].differences == ()
    assert "with the same values" in text(equal)
    one, two, three = (candle.at for candle in equal.context["chart"].candles[10:13])
    of_dxy = "canonical_symbol = 'DXY' AND timeframe = '1m'"
    change(
        bars_target,
        f"UPDATE data_bars SET close = close + 1e-9 WHERE {of_dxy} AND ts_utc = '{one}'",
        f"DELETE FROM data_bars WHERE {of_dxy} AND ts_utc = '{two}'",
        f"UPDATE derived_data_bars SET deleted_at = now() WHERE {of_dxy} AND deleted_at IS NULL "
        f"AND ts_utc = '{three}'",
    )
    page = reader.get(address)
    found = [(difference.at, difference.kind) for difference in page.context["chart"].differences]
    assert found == [(one, "differs"), (two, "only derived"), (three, "only direct")]
    ((field, derived, direct),) = page.context["chart"].differences[0].values
    assert field == "close"
    assert repr(derived) in text(page)
    assert repr(direct) in text(page)
    assert derived != direct


def test_a_stretch_of_time_is_drawn_as_asked_for_and_cut_where_it_is_too_long(
    reader: Client, bars_target: TargetUrls
) -> None:
    page = reader.get(f"{CHART}?symbol=EURUSD&timeframe=5m&since=2026-03-16T06:00&until=2026-03-16T07:00")
    assert len(page.context["chart"].slots) == 12
    assert not page.context["cut"]
    long = reader.get(f"{CHART}?symbol=DXY&timeframe=1m&since=2020-01-01T00:00&until=2026-03-16T08:00")
    assert sum(not slot.closed for slot in long.context["chart"].slots) == 960
    assert "the last 960 are drawn" in text(long)


def test_older_and_newer_follow_one_another(reader: Client, bars_target: TargetUrls) -> None:
    first = reader.get(f"{CHART}?symbol=DXY&timeframe=1m&count=60")
    older = reader.get(first.context["older"])
    assert older.context["stop"] == first.context["start"]
    assert reader.get(older.context["newer"]).context["start"] == first.context["start"]
    assert first.context["newer"] == ""


def test_closed_hours_are_shaded(reader: Client, bars_target: TargetUrls) -> None:
    page = reader.get(f"{CHART}?symbol=DXY&timeframe=1m&since=2026-03-13T21:30&until=2026-03-15T22:30")
    assert len(page.context["chart"].closed) == 1
    assert "market closed" in text(page)


def test_a_series_without_bars_is_said(reader: Client, bars_target: TargetUrls) -> None:
    assert "Neither table holds a bar of DXY 4h" in text(reader.get(f"{CHART}?symbol=DXY&timeframe=4h"))


# -- series


def test_every_series_has_its_count_and_its_freshness(reader: Client, bars_target: TargetUrls) -> None:
    with psycopg.connect(bars_target.app_url) as conn:
        wanted = conn.execute(
            "SELECT canonical_symbol, timeframe, 'data_bars', count(*), max(ts_utc) FROM data_bars "
            "GROUP BY 1, 2 UNION ALL SELECT canonical_symbol, timeframe, 'derived_data_bars', count(*), "
            "max(ts_utc) FROM derived_data_bars WHERE deleted_at IS NULL GROUP BY 1, 2"
        ).fetchall()
    page = reader.get(SERIES)
    rows = page.context["rows"]
    found = {
        (r.series.symbol, r.series.timeframe, r.series.table, r.series.count, r.series.newest) for r in rows
    }
    assert found == set(wanted)
    assert all(row.series.exact for row in rows)
    assert {row.freshness for row in rows} == {"fresh"}
    change(
        bars_target, "SET ROLE bars_owner", "UPDATE market_clock SET market_start = market_start + '1 hour'"
    )
    late = reader.get(SERIES).context["rows"]
    assert {row.freshness for row in late if row.series.timeframe == "1m"} == {"late"}


def test_a_big_table_is_counted_on_a_part_of_it(
    reader: Client, bars_target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {(r.symbol, r.timeframe, r.table): r.count for r in panel_data.series()}
    monkeypatch.setattr(panel_data, "READ_BYTES", 512 * 1024)
    part = {(r.symbol, r.timeframe, r.table): r for r in panel_data.series()}
    big = ("EURUSD", "1m", "data_bars")
    assert not part[big].exact
    assert part[big].count == pytest.approx(whole[big], rel=0.5)
    assert "estimated" in text(reader.get(SERIES))


def test_pages_cost_the_same_queries_however_many_bars_there_are(
    reader: Client, bars_target: TargetUrls
) -> None:
    def queries(address: str) -> int:
        with CaptureQueriesContext(connections["bars"]) as caught:
            reader.get(address)
        return len(caught)

    before = [queries(SERIES), queries(CHART)]
    change(bars_target, COPY)
    assert [queries(SERIES), queries(CHART)] == before
    assert max(before) <= 8


def test_a_task_that_stopped_is_loud_and_its_error_is_escaped(
    reader: Client, bars_target: TargetUrls
) -> None:
    change(
        bars_target,
        "UPDATE data_agg_state SET status = 'hard_failed', hard_fail_streak = 3, last_error = '<b>x</b>' "
        "WHERE canonical_symbol = 'DXY' AND timeframe = '5m'",
    )
    shown = text(reader.get(SERIES))
    assert "1 aggregation task stopped" in shown
    assert "failed for good" in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert "<b>x</b>" not in shown


def test_metadata_of_the_registry_is_shown_once_it_is_there(reader: Client, bars_target: TargetUrls) -> None:
    assert "base_timeframe" not in text(reader.get(SERIES))
    change(
        bars_target,
        "SET ROLE bars_owner",
        "ALTER TABLE core_asset_registry_all ADD COLUMN metadata jsonb",
        "UPDATE core_asset_registry_all SET metadata = "
        """'{"base_timeframe": "1m", "components": ["<a>", "b"]}'""",
    )
    shown = text(reader.get(SERIES))
    assert "base_<wbr>timeframe" in shown
    assert "&lt;a&gt;, b" in shown
    change(bars_target, "SET ROLE bars_owner", "UPDATE core_asset_registry_all SET metadata = '[1]'")
    assert reader.get(SERIES).status_code == 200
