"""Loading the legacy world: tables, functions, and as much invented history as asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from bars import market, runlog, sql_files, verdicts
from bars.exceptions import AlreadyLoaded, BarsError, NotInstalled
from bars.pairs import SYMBOLS

OWNER_ROLE = "bars_owner"
"""Owns every table and function of the bars system."""

_PAIR_CHUNK_MINUTES = 20 * 24 * 60
_HISTORY_CHUNK_MINUTES = 200_000
_SETTLED_MINUTES = 60  # bars of the last hour were neither withdrawn nor replaced
_FROZEN_SPEED = 1e-9  # while history is written the market's clock stands at its end


@dataclass(frozen=True)
class Loaded:
    """What ``load`` put into the target: rows by kind, and the range [start, stop) of DXY history."""

    start: datetime
    stop: datetime
    data_bars: int
    dxy_active: int
    dxy_withdrawn: int
    derived_5m: int
    derived_1h: int
    seed: int


def is_installed(conn: psycopg.Connection[Any]) -> bool:
    """Tell whether the legacy tables exist."""
    row = conn.execute("SELECT to_regclass('public.data_bars') IS NOT NULL").fetchone()
    return bool(row and row[0])


def install(conn: psycopg.Connection[Any]) -> bool:
    """Create the legacy tables and functions in one transaction, owned by ``bars_owner``; False if they were
    there.

    Raises ``NotInstalled`` when the connection may not act as that role or the role may not create in schema
    public.
    """
    with conn.transaction():
        if is_installed(conn):
            return False
        try:
            _become_owner(conn)
            for name in sql_files.legacy_names():
                conn.execute(sql_files.read(name))
        except (
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.UndefinedObject,
            psycopg.errors.InvalidParameterValue,
        ) as error:
            raise NotInstalled(
                f"the bars tables cannot be created: {error.diag.message_primary or error}. "
                f"The login has to be a member of {OWNER_ROLE}, which needs CREATE on schema public."
            ) from error
    return True


def load(
    conn: psycopg.Connection[Any],
    *,
    days: int = 14,
    rows: int | None = None,
    seed: int = 1,
    market_start: datetime | None = None,
    speed: float = 1.0,
) -> Loaded:
    """Install the legacy world where it is absent and fill it with history that ends just before the market's
    start.

    ``days``: depth of the six pairs' minutes, and of DXY where ``rows`` is not given. ``rows``: the number of
    active DXY 1m rows to end up with; what lies before the pairs' depth is derived from the same prices
    without storing them. ``market_start`` or a ``speed`` other than 1 (market seconds per real second) sets
    the market clock, by default to the last Monday 08:00 UTC; without either the data end now and the market
    runs on real time. Raises ``AlreadyLoaded``, ``NotInstalled``, ``BarsError`` for senseless sizes. Commits
    as it goes, so ``conn`` must not be inside a transaction.
    """
    if days < 1 or (rows is not None and rows < 1) or speed <= 0:
        raise BarsError("days and rows have to be at least 1, and speed above 0")
    if conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise BarsError("load commits as it goes: give it a connection without an open transaction")
    has_clock = market_start is not None or speed != 1.0
    now = datetime.now(UTC)
    stop = market.minute_number(market_start or (market.last_monday_morning(now) if has_clock else now))
    install(conn)
    previous_zone = conn.info.parameter_status("TimeZone") or "UTC"
    with conn.transaction():
        conn.execute("SELECT set_config('TimeZone', 'UTC', false)")
        market.prepare_session(conn)
        # Session-local functions above belong to the login; everything below to the owner of the tables.
        conn.execute("SELECT set_config('role', %s, false)", [OWNER_ROLE])
    try:
        return _Filling(conn, seed=seed, stop=stop).run(
            days=days, rows=rows, clock_speed=speed if has_clock else None
        )
    finally:
        if not conn.closed and not conn.broken:
            with conn.transaction():
                conn.execute("SELECT set_config('role', 'none', false)")
                conn.execute("SELECT set_config('TimeZone', %s, false)", [previous_zone])


def discard_unfinished(conn: psycopg.Connection[Any]) -> bool:
    """Remove a world whose load was interrupted, so that it can be loaded anew; False where there is none.

    It is known by its clock, which stands until the load is done, or by having no symbols yet.
    """
    if not is_installed(conn):
        return False
    with conn.transaction():
        _become_owner(conn)
        unfinished = conn.execute(
            """
            SELECT EXISTS (SELECT FROM public.market_clock WHERE speed = %s)
                OR NOT EXISTS (SELECT FROM public.core_asset_registry_all)
            """,
            [_FROZEN_SPEED],
        )
        if unfinished.fetchone() != (True,):
            return False
        conn.execute(sql_files.read("load/discard"))
        return True


def restart_clock(conn: psycopg.Connection[Any], *, speed: float = 1.0) -> datetime:
    """Let the market clock start now, at the minute that is to be ingested next; return that minute.

    For a world that was loaded a while ago: without it the feed would first have to catch up.
    """
    with conn.transaction():
        _become_owner(conn)
        row = conn.execute("SELECT min(next_ts_utc) FROM public.data_ingest_state").fetchone()
        if row is None or row[0] is None:
            raise NotInstalled("no history is loaded: there is no minute to start the clock at")
        _set_clock(conn, market_start=row[0], speed=speed)
        start: datetime = row[0].astimezone(UTC)
        return start


def _become_owner(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT set_config('role', %s, true)", [OWNER_ROLE])


def _set_clock(conn: psycopg.Connection[Any], *, market_start: datetime, speed: float) -> None:
    conn.execute(sql_files.read("load/clock"), {"market_start": market_start, "speed": speed})


class _Filling:
    """One load: its connection, its seed, and the minute before which its data end."""

    def __init__(self, conn: psycopg.Connection[Any], *, seed: int, stop: int) -> None:
        self.conn = conn
        self.seed = seed
        self.stop = stop
        self.settled = stop - _SETTLED_MINUTES

    def run(self, *, days: int, rows: int | None, clock_speed: float | None) -> Loaded:
        """Fill an empty world, stage by stage."""
        self._begin()
        pairs_start = self.stop - days * 24 * 60
        start = pairs_start if rows is None else self._history_start(rows)
        pairs_start = max(start, pairs_start)
        self._load_pairs(pairs_start)
        self._load_dxy_history(start, pairs_start)
        self._derive_dxy(pairs_start)
        self._retire_dxy(start)
        self._aggregate(start, pairs_start)
        with self.conn.transaction():
            self.conn.execute(sql_files.read("load/last_bars"))
            self.conn.execute("ANALYZE public.data_bars")
            self.conn.execute("ANALYZE public.derived_data_bars")
        loaded = self._count(start)
        with self.conn.transaction():
            runlog.write(
                self.conn,
                component="load",
                level="info",
                message="history loaded",
                detail={"seed": self.seed, "dxy_active": loaded.dxy_active},
            )
            if clock_speed is None:
                self.conn.execute("DELETE FROM public.market_clock")
            else:
                _set_clock(self.conn, market_start=market.minute_start(self.stop), speed=clock_speed)
        return loaded

    def _begin(self) -> None:
        stop = market.minute_start(self.stop)
        with self.conn.transaction():
            row = self.conn.execute("SELECT EXISTS (SELECT FROM public.core_asset_registry_all)").fetchone()
            if row and row[0]:
                raise AlreadyLoaded("this target holds bars already; load into an empty database")
            _set_clock(self.conn, market_start=stop, speed=_FROZEN_SPEED)
            self.conn.execute(sql_files.read("load/registry"), market.pair_parameters())
            self.conn.execute(sql_files.read("load/state"), {"stop": stop})
            self.conn.execute(sql_files.read("load/deployment"))

    def _history_start(self, rows: int) -> int:
        parameters = {
            "rows": rows,
            "seed": self.seed,
            "stop_minute": self.stop,
            "settled_minute": self.settled,
        }
        row = self.conn.execute(sql_files.read("load/history_start"), parameters).fetchone()
        self.conn.commit()
        assert row is not None
        return int(row[0])

    def _load_pairs(self, start: int) -> None:
        for first, last in _chunks(start, self.stop, _PAIR_CHUNK_MINUTES):
            with self.conn.transaction():
                market.append_pairs(self.conn, seed=self.seed, start_minute=first, stop_minute=last)
        with self.conn.transaction():
            self.conn.execute("ANALYZE public.data_bars")

    def _load_dxy_history(self, start: int, stop: int) -> None:
        for first, last in _chunks(start, stop, _HISTORY_CHUNK_MINUTES):
            parameters = market.pair_parameters() | market.range_parameters(
                seed=self.seed, start_minute=first, stop_minute=last
            )
            with self.conn.transaction():
                self.conn.execute(sql_files.read("load/dxy_history"), parameters)

    def _derive_dxy(self, start: int) -> None:
        for first, last in _chunks(start, self.stop, _HISTORY_CHUNK_MINUTES):
            with self.conn.transaction():
                verdicts.call(
                    self.conn,
                    "SELECT public.calc_dxy_range_derived(%(start)s, %(stop)s, '1m', 1)",
                    {"start": market.minute_start(first), "stop": market.minute_start(last)},
                )

    def _retire_dxy(self, start: int) -> None:
        for first, last in _chunks(start, self.settled, _HISTORY_CHUNK_MINUTES):
            parameters = {"seed": self.seed, "start_minute": first, "stop_minute": last}
            with self.conn.transaction():
                self.conn.execute(sql_files.read("load/withdraw_dxy"), parameters)
                self.conn.execute(sql_files.read("load/replace_dxy"), parameters)

    def _aggregate(self, start: int, pairs_start: int) -> None:
        for timeframe in ("5m", "1h"):
            for symbol in SYMBOLS:
                begin = start if symbol == "DXY" else pairs_start
                for first, last in _chunks(begin - begin % 60, self.stop, _HISTORY_CHUNK_MINUTES // 60 * 60):
                    with self.conn.transaction():
                        verdicts.call(
                            self.conn,
                            sql_files.read("aggregation/catch_up"),
                            {
                                "symbol": symbol,
                                "timeframe": timeframe,
                                "start": market.minute_start(first),
                                "stop": market.minute_start(last),
                            },
                        )

    def _count(self, start: int) -> Loaded:
        with self.conn.transaction():
            row = self.conn.execute(sql_files.read("load/counts")).fetchone()
        assert row is not None
        return Loaded(
            start=market.minute_start(start),
            stop=market.minute_start(self.stop),
            seed=self.seed,
            data_bars=row[0],
            dxy_active=row[1],
            dxy_withdrawn=row[2],
            derived_5m=row[3],
            derived_1h=row[4],
        )


def _chunks(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Split [start, stop) into ranges of at most ``size`` minutes; none for an empty range."""
    return [(first, min(first + size, stop)) for first in range(start, stop, size)]
