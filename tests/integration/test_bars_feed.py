"""The feed: every market minute once, whatever happens in between."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bars import connections, deployment, feed, loading, market, service
from bars.exceptions import DeploymentTimedOut, DerivationFailed
from controlpanel.embedded_databases import TargetUrls
from tests.processes import Processes

START = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)

Conn = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def conn(bars_target: TargetUrls) -> Iterator[Conn]:
    with connections.connect(bars_target.app_url, application_name="bars-test") as opened:
        yield opened


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def _feed(conn: Conn, journal: Path, *, version: deployment.Version = "legacy") -> feed.Feed:
    made = feed.Feed(journal=feed.Journal(journal))
    made.prepare(conn, version=version)
    return made


def _market_time(conn: Conn, moment: datetime) -> None:
    """Let the market's clock stand at ``moment``."""
    loading.restart_clock(conn, speed=1e-9)
    conn.execute("UPDATE market_clock SET market_start = %s", [moment])


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def _last_lines(journal: Path) -> dict[datetime, float]:
    """What the journal says of each minute in the end."""
    if not journal.exists():
        return {}
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return {datetime.fromisoformat(line["ts"]): line["close"] for line in lines}


def _dxy(conn: Conn, start: datetime = START, table: str = "derived_data_bars") -> dict[datetime, float]:
    active = "AND deleted_at IS NULL" if table == "derived_data_bars" else ""
    query = (
        f"SELECT ts_utc, close FROM {table}"
        f" WHERE canonical_symbol = 'DXY' AND timeframe = '1m' {active} AND ts_utc >= %s"
    )
    return dict(conn.execute(query.encode(), [start]).fetchall())


def _ingested(conn: Conn) -> set[datetime]:
    query = "SELECT DISTINCT ts_utc FROM data_bars WHERE ts_utc >= %s"
    return {row[0] for row in conn.execute(query, [START])}


def _value(conn: Conn, query: str, *arguments: Any) -> Any:
    row = conn.execute(query.encode(), arguments or None).fetchone()
    assert row is not None
    return row[0]


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


def _install_migrated_function(conn: Conn) -> None:
    """The function that a migration brings along, reduced to what the feed needs of it."""
    conn.execute("SET ROLE bars_owner")
    conn.execute("""
        CREATE FUNCTION calc_dxy_range_1m(p_from timestamptz, p_to timestamptz, p_version integer)
        RETURNS jsonb LANGUAGE sql AS $$
            WITH written AS (
                INSERT INTO data_bars
                    (canonical_symbol, timeframe, ts_utc, close, is_partial, source, ingested_at, raw)
                SELECT 'DXY', '1m', ts_utc, 100, false, 'synthetic', market_now(), '{}'
                  FROM data_bars WHERE canonical_symbol = 'EURUSD' AND ts_utc >= p_from AND ts_utc < p_to
                ON CONFLICT (canonical_symbol, timeframe, ts_utc) DO UPDATE SET close = 100 RETURNING 1)
            SELECT jsonb_build_object('success', true, 'upserted', count(*)) FROM written $$""")
    conn.execute("RESET ROLE")


# -- minutes


def test_every_complete_minute_gets_its_bars_and_the_running_one_none(conn: Conn, journal: Path) -> None:
    _market_time(conn, START + timedelta(minutes=10, seconds=59))
    _feed(conn, journal).tick(conn)
    assert _ingested(conn) == {START + _minutes(number) for number in range(10)}
    query = "SELECT ts_utc FROM data_bars WHERE ts_utc >= %s GROUP BY ts_utc HAVING count(*) = 6"
    assert set(_dxy(conn)) == {row[0] for row in conn.execute(query, [START])}


def test_ticking_twice_writes_nothing_twice(conn: Conn, journal: Path) -> None:
    _market_time(conn, START + _minutes(10))
    worker = _feed(conn, journal)
    worker.tick(conn)
    lines, rows = journal.read_text(), _value(conn, "SELECT count(*) FROM data_bars")
    worker.tick(conn)
    assert (journal.read_text(), _value(conn, "SELECT count(*) FROM data_bars")) == (lines, rows)


def test_minutes_in_one_batch_or_one_by_one_are_the_same_market(
    conn: Conn, bars_target: TargetUrls, journal: Path, tmp_path: Path
) -> None:
    worker = _feed(conn, journal)
    for number in range(1, 61):
        _market_time(conn, START + _minutes(number))
        worker.tick(conn)
    one_by_one = _dxy(conn)
    with connections.connect(bars_target.app_url, application_name="bars-test") as other:
        other.execute("SET ROLE bars_owner")
        other.execute("DELETE FROM data_bars WHERE ts_utc >= %s", [START])
        other.execute("DELETE FROM derived_data_bars WHERE ts_utc >= %s AND timeframe = '1m'", [START])
        other.execute("UPDATE data_ingest_state SET next_ts_utc = %s", [START])
        other.execute("RESET ROLE")
        _market_time(other, START + _minutes(60))
        _feed(other, tmp_path / "batch.jsonl").tick(other)
        assert _dxy(other) == one_by_one
    assert _last_lines(tmp_path / "batch.jsonl") == _last_lines(journal)


def test_a_feed_that_was_away_catches_up_without_a_gap(conn: Conn, journal: Path) -> None:
    _market_time(conn, START + timedelta(hours=10))
    worker = _feed(conn, journal)
    for _ in range(3):
        worker.tick(conn)
    assert _value(conn, "SELECT count(DISTINCT ts_utc) FROM data_bars WHERE ts_utc >= %s", START) == 600
    assert _value(conn, "SELECT min(next_ts_utc) FROM data_ingest_state") == START + timedelta(hours=10)


def test_closed_hours_bring_no_bar_and_the_cursor_goes_on(conn: Conn, journal: Path) -> None:
    saturday = datetime(2026, 3, 21, 12, 0, tzinfo=UTC)
    conn.execute("UPDATE data_ingest_state SET next_ts_utc = %s", [saturday])
    _market_time(conn, saturday + _minutes(30))
    _feed(conn, journal).tick(conn)
    assert _value(conn, "SELECT count(*) FROM data_bars WHERE ts_utc >= %s", saturday) == 0
    assert _value(conn, "SELECT min(next_ts_utc) FROM data_ingest_state") == saturday + _minutes(30)
    assert not journal.exists()


def test_late_bars_and_corrections_change_minutes_that_were_done(conn: Conn, journal: Path) -> None:
    worker = _feed(conn, journal)
    _market_time(conn, START + timedelta(hours=4))
    worker.tick(conn)
    before = _dxy(conn)
    _market_time(conn, START + timedelta(hours=8))
    worker.tick(conn)
    after = _dxy(conn)
    changed = {ts for ts in before if after[ts] != before[ts]}
    arrived = {ts for ts in after if ts not in before and ts < START + timedelta(hours=4)}
    oldest = START + timedelta(hours=4) - _minutes(15)
    assert {ts for ts in changed | arrived if ts < oldest} == set()
    late = _value(conn, "SELECT count(*) FROM data_bars WHERE raw ? 'late' AND ts_utc >= %s", START)
    assert late > 5
    assert _last_lines(journal) == {ts: close for ts, close in after.items() if ts >= START} | {
        ts: close for ts, close in _last_lines(journal).items() if ts < START
    }


# -- the journal


def test_the_journal_says_what_the_table_holds(conn: Conn, journal: Path) -> None:
    worker = _feed(conn, journal)
    for hours in range(1, 5):
        _market_time(conn, START + timedelta(hours=hours))
        worker.tick(conn)
    said = _last_lines(journal)
    assert len(said) > 200
    assert said == {ts: close for ts, close in _dxy(conn, START - _minutes(20)).items() if ts in said}
    assert set(_dxy(conn)) <= set(said)


def test_nothing_is_in_the_journal_before_its_commit_was_acknowledged(conn: Conn, journal: Path) -> None:
    conn.execute("SET ROLE bars_owner")
    conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no commit'; END$$"
    )
    conn.execute(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON derived_data_bars DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    conn.execute("RESET ROLE")
    _market_time(conn, START + _minutes(5))
    worker = _feed(conn, journal)
    with pytest.raises(psycopg.errors.RaiseException, match="no commit"):
        worker.tick(conn)
    assert not journal.exists()
    assert _dxy(conn) == {}
    conn.execute("DROP TRIGGER refuse ON derived_data_bars")
    worker.tick(conn)
    assert _last_lines(journal).keys() >= _dxy(conn).keys() != set()


# -- trouble


def test_a_refused_derivation_keeps_the_pairs_and_loses_no_minute(conn: Conn, journal: Path) -> None:
    conn.execute("ALTER TABLE derived_data_bars ADD CONSTRAINT refused CHECK (source <> 'dxy') NOT VALID")
    _market_time(conn, START + _minutes(5))
    worker = _feed(conn, journal)
    with pytest.raises(DerivationFailed, match="success"):
        worker.tick(conn)
    assert _value(conn, "SELECT count(DISTINCT ts_utc) FROM data_bars WHERE ts_utc >= %s", START) == 5
    assert _dxy(conn) == {}
    conn.execute("ALTER TABLE derived_data_bars DROP CONSTRAINT refused")
    _market_time(conn, START + _minutes(10))
    worker.tick(conn)
    complete = (
        "SELECT count(*) FROM"
        " (SELECT FROM data_bars WHERE ts_utc >= %s GROUP BY ts_utc HAVING count(*) = 6) AS minute"
    )
    assert len(_dxy(conn)) == _value(conn, complete, START)


def test_of_two_feeds_one_is_refused(
    conn: Conn, bars_target: TargetUrls, journal: Path, tmp_path: Path
) -> None:
    _market_time(conn, START + _minutes(5))
    worker, other = _feed(conn, journal), _feed(conn, tmp_path / "other.jsonl")
    with connections.connect(bars_target.app_url, application_name="bars-other") as second:
        market.prepare_session(second)
        worker.tick(conn)
        with pytest.raises(DerivationFailed, match="another feed"):
            other._derive(second, start=market.minute_number(START), stop=market.minute_number(START) + 5)
    assert not (tmp_path / "other.jsonl").exists()


def test_an_empty_world_says_to_load_first(target: TargetUrls, journal: Path) -> None:
    with connections.connect(target.app_url, application_name="bars-test") as conn:
        loading.install(conn)
        with pytest.raises(DerivationFailed, match="load history first"):
            _feed(conn, journal).tick(conn)


# -- versions


def test_the_migrated_feed_writes_through_the_new_function_into_data_bars(conn: Conn, journal: Path) -> None:
    _install_migrated_function(conn)
    _market_time(conn, START + _minutes(5))
    _feed(conn, journal, version="migrated").tick(conn)
    assert _dxy(conn) == {}
    written = _dxy(conn, table="data_bars")
    assert set(written) == {START + _minutes(number) for number in range(5)}
    assert _last_lines(journal).items() >= written.items()
    assert {json.loads(line)["version"] for line in journal.read_text().splitlines()} == {"migrated"}


# -- as a service


class _Once:
    """A worker that does one thing per tick, then asks to stop when there is nothing left to do."""

    component: deployment.Component = "feed"

    def __init__(self, actions: list[Callable[[Conn], object]], stopping: service.StopRequest) -> None:
        self.actions = actions
        self.stopping = stopping

    def prepare(self, conn: Conn, *, version: deployment.Version) -> None:
        pass

    def tick(self, conn: Conn) -> None:
        if not self.actions:
            self.stopping.request()
            return
        self.actions.pop(0)(conn)


def _run(url: str, actions: list[Callable[[Conn], object]]) -> list[str]:
    stopping = service.StopRequest()
    restarts: list[str] = []
    service.Service(
        _Once(actions, stopping), url=url, tick_seconds=0.01, stopping=stopping,
        restart=lambda: restarts.append("restarted"),
    ).run()  # fmt: skip
    return restarts


def _levels(conn: Conn) -> list[str]:
    return [
        row[0] for row in conn.execute("SELECT level FROM ops_runlog WHERE component = 'feed' ORDER BY id")
    ]


def test_a_lost_connection_is_replaced_and_told_as_a_warning(conn: Conn, bars_target: TargetUrls) -> None:
    def die(own: Conn) -> None:
        own.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    seen: list[int] = []
    _run(bars_target.app_url, [die, lambda own: seen.append(own.info.backend_pid)])
    assert len(seen) == 1
    assert _levels(conn) == ["warning"]


def test_a_target_that_is_away_is_waited_for_and_found_again(conn: Conn, bars_target: TargetUrls) -> None:
    """The address leads nowhere for the first attempts, as when the server is down."""
    stopping = service.StopRequest()
    ticked: list[Conn] = []
    waiting = service.Service(
        _Once([ticked.append], stopping),
        url="postgresql://bars_app:x@127.0.0.1:1/nowhere",
        tick_seconds=0.01,
        stopping=stopping,
    )
    running = threading.Thread(target=waiting.run)
    running.start()
    time.sleep(0.5)
    assert running.is_alive()
    assert ticked == []
    waiting._url = bars_target.app_url
    running.join(timeout=60)
    assert len(ticked) == 1
    assert _levels(conn) == ["warning"]


def test_passing_trouble_is_a_warning_until_it_stays(conn: Conn, bars_target: TargetUrls) -> None:
    def locked(_: Conn) -> None:
        raise psycopg.errors.LockNotAvailable("could not obtain lock")

    _run(bars_target.app_url, [locked, locked, lambda _: None, locked, locked, locked])
    assert _levels(conn) == ["warning"] * 4 + ["error"]


def test_trouble_that_waiting_cannot_cure_is_an_error_at_once(conn: Conn, bars_target: TargetUrls) -> None:
    _run(bars_target.app_url, [lambda own: own.execute("SELECT nobody_wrote_this_function()")])
    assert _levels(conn) == ["error"]
    assert _value(conn, "SELECT detail ->> 'sqlstate' FROM ops_runlog WHERE component = 'feed'") == "42883"


def test_another_deployed_version_restarts_the_process(conn: Conn, bars_target: TargetUrls) -> None:
    def deploy(own: Conn) -> None:
        own.execute("UPDATE bars_deployment SET version = 'migrated' WHERE component = 'feed'")

    never: list[str] = []
    restarts = _run(bars_target.app_url, [deploy, lambda _: never.append("ticked on")])
    assert restarts == ["restarted"]
    assert never == []


def test_a_service_names_itself_and_its_version(conn: Conn, bars_target: TargetUrls) -> None:
    names: list[Any] = []
    _run(bars_target.app_url, [lambda own: names.append(own.execute("SHOW application_name").fetchone())])
    assert names == [("bars-feed/legacy",)]


# -- as processes


def _start(processes: Processes, journal: Path, conn: Conn) -> Any:
    process = processes.start(
        "feed",
        [sys.executable, "manage.py", "bars", "feed", "--journal", str(journal), "--tick-seconds", "0.1"],
    )
    _wait_until(
        lambda: any(name.startswith("bars-feed/") for name in deployment.running(conn)), "the feed connects"
    )
    return process


def test_a_deployment_restarts_the_running_feed_on_the_new_code_in_place(
    conn: Conn, processes: Processes, journal: Path
) -> None:
    _install_migrated_function(conn)
    loading.restart_clock(conn, speed=600)
    process = _start(processes, journal, conn)
    _wait_until(lambda: len(_last_lines(journal)) > 5, "the legacy feed writes")
    deployment.deploy(conn, version="migrated")
    assert deployment.running(conn).keys() & {"bars-feed/legacy", "bars-feed/migrated"} == {
        "bars-feed/migrated"
    }
    _wait_until(lambda: bool(_dxy(conn, table="data_bars")), "the migrated feed writes")
    deployment.deploy(conn, version="legacy")
    assert "bars-feed/legacy" in deployment.running(conn)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_a_feed_killed_at_any_moment_loses_no_minute(conn: Conn, processes: Processes, journal: Path) -> None:
    loading.restart_clock(conn, speed=3600)
    for _ in range(3):
        process = _start(processes, journal, conn)
        lines = len(_last_lines(journal))
        _wait_until(lambda lines=lines: len(_last_lines(journal)) > lines, "the feed writes")  # type: ignore[misc]
        process.kill()
        process.wait()
    process = _start(processes, journal, conn)
    caught_up = "SELECT market_now() - min(next_ts_utc) < interval '2 hours' FROM data_ingest_state"
    _wait_until(lambda: bool(_value(conn, caught_up)), "the feed catches up")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    stop = _value(conn, "SELECT min(next_ts_utc) FROM data_ingest_state")
    open_minutes = [START + _minutes(number) for number in range(int((stop - START) / _minutes(1)))]
    assert _ingested(conn) == {moment for moment in open_minutes if market.is_open(moment)}
    said, stored = _last_lines(journal), _dxy(conn, START - _minutes(20))
    assert {ts: stored.get(ts) for ts in said} == said


def test_a_deployment_without_running_processes_is_done_at_once(conn: Conn) -> None:
    deployment.deploy(conn, version="migrated", timeout=timedelta(seconds=1))
    assert deployment.deployed_version(conn, "signals") == "migrated"


def test_who_does_not_restart_is_named_and_the_deployment_stays(conn: Conn, bars_target: TargetUrls) -> None:
    stuck = connections.connect(bars_target.app_url, application_name="bars-aggregator/legacy")
    with (
        stuck,
        pytest.raises(DeploymentTimedOut, match=r"aggregator did not restart .* bars-aggregator/legacy"),
    ):
        deployment.deploy(conn, version="migrated", timeout=timedelta(seconds=0.3))
    assert deployment.deployed_version(conn, "aggregator") == "migrated"
