"""The rules of dxy_1m about the data: they hold while the bars live, and each notices what it is for."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import data_rules
from migration_runs.engine.move import snapshots
from migration_runs.engine.outcome import RuleFound
from tests.acceptance.conftest import StartRun
from tests.acceptance.engine_run import EngineRun
from tests.acceptance.living import living

ROUNDS = 3
BAR = "canonical_symbol = 'DXY' AND timeframe = '1m'"
OLD = f"(SELECT ts_utc FROM public.data_bars WHERE {BAR} ORDER BY ts_utc DESC OFFSET 100 LIMIT 1)"


def ask(run: EngineRun, *keys: str, lo: str | None = None, hi: str | None = None) -> dict[str, RuleFound]:
    """What the rules of the plan say now; of all of them without ``keys``."""
    job = run.job(8)
    with snapshots.session(job.target_url, job.plan, job.run_uid) as (conn, shape):
        return {
            rule.key: data_rules.run(conn, job.plan, shape, rule, lo=lo, hi=hi)
            for rule in job.plan.runbook.rules
            if not keys or rule.key in keys
        }


def offending(run: EngineRun, key: str, *, lo: str | None = None, hi: str | None = None) -> int:
    found = ask(run, key, lo=lo, hi=hi)[key]
    assert found.error == ""
    return found.offending


def execute(target: TargetUrls, statement: str) -> None:
    """A statement of a superuser, past every trigger."""
    with psycopg.connect(target.dsn) as conn:
        conn.execute("SET session_replication_role = 'replica'")
        for table in ("data_bars", "derived_data_bars"):
            conn.execute(f"ALTER TABLE public.{table} DISABLE TRIGGER ALL".encode())
        assert conn.execute(statement.encode()).rowcount >= 1


@pytest.fixture
def copied(start_run: StartRun) -> EngineRun:
    """A run after phase 5, with nobody writing: the bars are in both tables."""
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    return run


def test_every_rule_holds_while_the_bars_live(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    run = start_run(clock_speed=600.0)
    with living(bars_target, tmp_path / "journal", speed=600.0) as bars:
        run.play(1, 2, 3, 4)
        for _ in range(ROUNDS):
            assert [found for found in ask(run).values() if not found.holds] == []
        run.play(5, 6)
        bars.deploy("migrated")
        run.play(7)
        for _ in range(ROUNDS):
            assert [found for found in ask(run).values() if not found.holds] == []
            run.drain()


def test_a_bar_on_a_saturday_is_noticed(copied: EngineRun, bars_target: TargetUrls) -> None:
    assert offending(copied, "trading_calendar") == 0
    execute(
        bars_target,
        "UPDATE public.data_bars SET ts_utc = date_trunc('week', ts_utc) + interval '5 days 12 hours' "
        f"WHERE {BAR} AND ts_utc = {OLD}",
    )
    assert offending(copied, "trading_calendar") == 1


@pytest.mark.parametrize(("opens", "number"), [("21:59", 1), ("22:00", 0)])
def test_the_calendar_knows_the_minute(
    copied: EngineRun, bars_target: TargetUrls, opens: str, number: int
) -> None:
    execute(
        bars_target,
        "INSERT INTO public.data_bars SELECT (jsonb_populate_record(b, jsonb_build_object("
        f"'id', -1, 'ts_utc', '2020-03-01 {opens}:00+00'))).* FROM public.data_bars AS b "
        f"WHERE {BAR} AND ts_utc = {OLD}",
    )
    assert offending(copied, "trading_calendar") == number


def test_a_gap_against_the_components_is_noticed(copied: EngineRun, bars_target: TargetUrls) -> None:
    assert offending(copied, "minute_grid") == 0
    for table in ("derived_data_bars", "data_bars"):
        execute(bars_target, f"DELETE FROM public.{table} WHERE {BAR} AND ts_utc = '{gap(copied)}'")
    assert offending(copied, "minute_grid") == 1
    assert offending(copied, "minute_grid", lo="2000-01-01 00:00+00", hi="2000-02-01 00:00+00") == 0


def gap(run: EngineRun) -> str:
    """A minute whose bar was never withdrawn; the same one each time it is asked for."""
    return str(
        run.value(
            "SELECT pair.ts_utc::text FROM public.data_bars AS pair WHERE timeframe = '1m' AND "
            "canonical_symbol = 'EURUSD' AND extract(minute FROM ts_utc) = 7 AND (SELECT count(*) FROM "
            "public.data_bars AS other WHERE other.timeframe = '1m' AND other.canonical_symbol IN ('EURUSD', "
            "'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF') AND other.ts_utc = pair.ts_utc) = 6 AND NOT "
            "EXISTS (SELECT FROM public.derived_data_bars AS gone WHERE gone.ts_utc = pair.ts_utc "
            "AND gone.deleted_at IS NOT NULL) ORDER BY ts_utc DESC OFFSET 2 LIMIT 1"
        )
    )


def test_a_bar_off_the_minute_grid_is_noticed(copied: EngineRun, bars_target: TargetUrls) -> None:
    execute(
        bars_target,
        f"UPDATE public.data_bars SET ts_utc = ts_utc + interval '1 second' WHERE {BAR} AND ts_utc = {OLD}",
    )
    assert offending(copied, "minute_grid") >= 1


@pytest.mark.parametrize("change", ["low = close + 1", "high = open - 1", "high = 'NaN'"])
def test_prices_that_contradict_each_other_are_noticed(
    copied: EngineRun, bars_target: TargetUrls, change: str
) -> None:
    assert offending(copied, "ohlc") == 0
    execute(bars_target, f"UPDATE public.data_bars SET {change} WHERE {BAR} AND ts_utc = {OLD}")
    assert offending(copied, "ohlc") == 1


def test_a_reader_that_counts_bars_twice_is_noticed(copied: EngineRun, bars_target: TargetUrls) -> None:
    assert offending(copied, "duplicates") == 0
    legacy = Path("bars/sql/legacy/10_signal_bars.sql").read_text(encoding="utf-8")
    with psycopg.connect(bars_target.dsn) as conn:
        conn.execute(legacy.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1).encode())
    assert offending(copied, "duplicates") > 100
