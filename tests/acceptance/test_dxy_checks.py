"""The health checks of dxy_1m: they pass while the bars live, and each notices what it is there for."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import health
from migration_runs.engine.outcome import CheckOutcome
from tests.acceptance.conftest import StartRun
from tests.acceptance.engine_run import EngineRun
from tests.acceptance.living import living

ROUNDS = 5
TWO_HOURS_LATER = "UPDATE public.market_clock SET real_start = real_start - interval '2 hours'"
NEWEST = "(SELECT max(ts_utc) FROM public.data_bars WHERE canonical_symbol = 'DXY' AND timeframe = '1m')"


def look(run: EngineRun, key: str, *, since: datetime | None = None) -> CheckOutcome:
    """One check, now."""
    return health.run_check(run.job(8), key, since=since)


def execute(target: TargetUrls, statement: str) -> None:
    """A statement of a superuser."""
    with psycopg.connect(target.dsn) as conn:
        conn.execute(statement.encode())


@pytest.fixture
def switched(start_run: StartRun) -> EngineRun:
    """A run after phase 5, on a clock of real speed, with nobody writing."""
    run = start_run()
    run.play(1, 2, 3, 4, 5)
    run.switched_at = run.value("SELECT public.market_now() - interval '1 hour'")
    return run


def test_every_check_of_the_window_passes_on_a_compressed_clock(
    start_run: StartRun, bars_target: TargetUrls, tmp_path: Path
) -> None:
    run = start_run(clock_speed=3600.0)
    with living(bars_target, tmp_path / "journal", speed=3600.0) as bars:
        run.play(1, 2, 3, 4, 5, 6)
        bars.deploy("migrated")
        run.play(7)
        run.switched_at = datetime.fromisoformat(run.memory.results["observe_switch"]["switched_at"])
        since = run.switched_at
        for _ in range(ROUNDS):
            time.sleep(1)
            outcomes = [
                look(run, check.key, since=since) for check in run.plan.runbook.checks if check.in_window
            ]
            assert [outcome for outcome in outcomes if outcome.verdict != "pass"] == []
            since = outcomes[0].market_now
            run.drain()


def test_freshness_notices_that_nobody_writes(switched: EngineRun, bars_target: TargetUrls) -> None:
    assert look(switched, "dxy_1m_staleness").verdict == "pass"
    execute(bars_target, TWO_HOURS_LATER)
    assert look(switched, "dxy_1m_staleness").verdict == "fail"
    assert look(switched, "dxy_5m_staleness").verdict == "warn"
    assert look(switched, "dxy_1h_schedule").verdict == "fail"


def test_closed_hours_are_closed_unless_bars_lag_behind_their_components(
    switched: EngineRun, bars_target: TargetUrls
) -> None:
    execute(
        bars_target,
        "UPDATE public.market_clock"
        " SET market_start = date_trunc('week', market_start) + interval '5 days 12 hours'",
    )
    closed = look(switched, "dxy_1m_staleness")
    assert (closed.verdict, closed.market_open) == ("closed", False)
    assert look(switched, "dxy_5m_staleness").verdict == "closed"
    execute(
        bars_target,
        "INSERT INTO public.data_bars (canonical_symbol, provider_ticker, timeframe, ts_utc, close,"
        " is_partial, source, ingested_at, raw)"
        " SELECT symbol, 'x', '1m', date_trunc('minute', public.market_now()) - interval '1 hour', 1, false,"
        " 'massive', now(), '{}'"
        " FROM unnest(ARRAY['EURUSD', 'USDJPY', 'GBPUSD', 'USDCAD', 'USDSEK', 'USDCHF']) AS symbol",
    )
    assert look(switched, "dxy_1m_staleness").verdict == "fail"


def test_a_price_out_of_range_fails(switched: EngineRun, bars_target: TargetUrls) -> None:
    assert look(switched, "price_range").verdict == "pass"
    execute(
        bars_target,
        f"UPDATE public.data_bars SET close = 121 WHERE canonical_symbol = 'DXY' AND ts_utc = {NEWEST}",
    )
    assert look(switched, "price_range").verdict == "fail"


def test_missing_bars_are_counted(switched: EngineRun, bars_target: TargetUrls) -> None:
    assert look(switched, "bars_written").verdict == "pass"
    execute(
        bars_target,
        "DELETE FROM public.data_bars WHERE canonical_symbol = 'DXY'"
        f" AND ts_utc < {NEWEST} AND ts_utc > {NEWEST} - interval '10 minutes'",
    )
    outcome = look(switched, "bars_written")
    assert outcome.verdict == "fail"
    assert outcome.value is not None
    assert outcome.value >= 8


def test_a_disabled_task_and_a_new_error_fail(switched: EngineRun, bars_target: TargetUrls) -> None:
    since = switched.value("SELECT public.market_now()")
    assert look(switched, "aggregation_tasks").verdict == "pass"
    assert look(switched, "runlog_errors", since=since).verdict == "pass"
    execute(
        bars_target, "UPDATE public.data_agg_state SET status = 'disabled' WHERE canonical_symbol = 'DXY'"
    )
    execute(
        bars_target,
        "INSERT INTO public.ops_runlog (component, level, message) VALUES ('feed', 'error', 'no provider')",
    )
    assert look(switched, "aggregation_tasks").verdict == "fail"
    outcome = look(switched, "runlog_errors", since=since)
    assert outcome.verdict == "fail"
    assert "no provider" in outcome.detail


def test_an_error_of_the_windows_first_hour_fails_its_first_check(
    switched: EngineRun, bars_target: TargetUrls
) -> None:
    """No check came before the first one: it looks back over its whole interval."""
    assert look(switched, "runlog_errors", since=None).verdict == "pass"
    execute(
        bars_target,
        "INSERT INTO public.ops_runlog (component, level, message) VALUES ('feed', 'error', 'no provider')",
    )
    outcome = look(switched, "runlog_errors", since=None)
    assert (outcome.verdict, outcome.value) == ("fail", 1.0)


def test_closed_hours_without_any_bar_of_dxy_are_no_health(
    switched: EngineRun, bars_target: TargetUrls
) -> None:
    execute(bars_target, "UPDATE public.market_clock SET market_start = '2026-03-21 12:00+00'")
    with psycopg.connect(bars_target.dsn) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("ALTER TABLE public.data_bars DISABLE TRIGGER USER")
        conn.execute("DELETE FROM public.data_bars WHERE canonical_symbol = 'DXY'")
    outcome = look(switched, "dxy_1m_staleness")
    assert not outcome.market_open
    assert outcome.verdict == "fail"


def test_a_wrong_bar_fails_the_verification_check(switched: EngineRun, bars_target: TargetUrls) -> None:
    assert look(switched, "verification").verdict == "pass"
    with psycopg.connect(bars_target.dsn) as conn:
        conn.execute("SET session_replication_role = replica")
        triggers = conn.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.data_bars'::regclass AND NOT tgisinternal"
        ).fetchall()
        for (name,) in triggers:
            conn.execute(f'ALTER TABLE public.data_bars DISABLE TRIGGER "{name}"'.encode())
        conn.execute(
            (
                "UPDATE public.data_bars SET close = close + 1"
                f" WHERE canonical_symbol = 'DXY' AND ts_utc = {NEWEST}"
            ).encode()
        )
    assert look(switched, "verification").verdict == "fail"
