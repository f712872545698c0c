"""What `runbook check` refuses of the copy's speed and limits: one runbook that breaks each rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration_runs.runbook.copying import UNITS
from tests.unit.runbook_folder import Folder, copy_orders

SECTION = "[move.copying]\n"
QUERY = "SELECT 1 AS load\n"
BUSY = 'busy_hours = [{{ opens = "{}", closes = "{}", time_zone = "{}", pace = {} }}]'


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = copy_orders(tmp_path)
    folder.sql("4_backfill/load.sql", QUERY)
    return folder


def errors(folder: Folder, *lines: str) -> list[str]:
    """The errors of the runbook with these lines in its ``[move.copying]``."""
    folder.change(SECTION, SECTION + "".join(f"{line}\n" for line in lines))
    return folder.errors()


def busy(opens: str = "Mon 08:00", closes: str = "Mon 18:00", zone: str = "UTC", pace: str = "0") -> str:
    return BUSY.format(opens, closes, zone, pace)


SOUND = [
    "workers = { value = 2, min = 1, max = 4 }",
    "max_replication_lag_s = { value = 5, min = 5, max = 5 }",
    "max_active_sessions = 40\ncritical_active_sessions = 40",
    "max_lock_waiters = 0",
    "max_wal_mb_s = 0.001",
    'load_sql = "4_backfill/load.sql"\nmax_load = 0',
    'load_sql = "4_backfill/load.sql"\ncritical_load = 7',
    busy(zone="Europe/London", pace="0.25"),
    busy("Mon 00:00", "Mon 00:00", pace="0.01"),
]


@pytest.mark.parametrize("lines", SOUND)
def test_what_is_just_inside_every_rule_is_accepted(folder: Folder, lines: str) -> None:
    assert errors(folder, lines) == []


BOUNDS = "must lie between min and max"
STILL = "the copy would stand still"
EARLY = "the copy would pause before it waits"
PAIR = "load_sql goes with max_load or critical_load"
BROKEN = [
    ("max_load = { value = 9, min = 10, max = 20 }", f"max_load: the value 9 {BOUNDS}"),
    ("workers = { value = 5, min = 1, max = 4 }", f"workers: the value 5 {BOUNDS}"),
    ("workers = { value = 2, min = 4, max = 1 }", f"workers: the value 2 {BOUNDS}"),
    ("max_slot_mb = { value = nan, min = 1, max = 4 }", f"max_slot_mb: the value nan {BOUNDS}"),
    ("workers = { value = 2, min = 1, max = inf }", "workers: max must be a number that can be reached"),
    ("max_slot_mb = { value = 1, min = 1, max = inf }", "max_slot_mb: max must be a number that can be"),
    ("workers = { value = 1, min = 0, max = 4 }", f"workers must not be below 1: {STILL}"),
    ("workers = 0", f"workers must not be below 1: {STILL}"),
    ("max_wal_mb_s = 0", f"max_wal_mb_s must not be below 0.001: {STILL}"),
    ("max_lock_waiters = -1", f"max_lock_waiters must not be below 0: {STILL}"),
    ("critical_lock_waiters = -1", f"critical_lock_waiters must not be below 0: {STILL}"),
    ("max_replication_lag_s = nan", "max_replication_lag_s must not be below 0"),
    (
        "max_active_sessions = 40\ncritical_active_sessions = 39",
        f"critical_active_sessions is below max_active_sessions: {EARLY}",
    ),
    ("critical_lock_waiters = 0", f"critical_lock_waiters is below max_lock_waiters: {EARLY}"),
    ("critical_replication_lag_s = 4.9", f"is below max_replication_lag_s: {EARLY}"),
    ('load_sql = "4_backfill/load.sql"\nmax_load = 2\ncritical_load = 1', f"is below max_load: {EARLY}"),
    ("max_load = 5", PAIR),
    ("critical_load = 5", PAIR),
    ('load_sql = "4_backfill/load.sql"', PAIR),
    ('load_sql = "4_backfill/none.sql"\nmax_load = 1', "none.sql"),
    ("max_rows_again = 5", "max_rows_again"),
    ("max_workers = { value = 5, min = 1, max = 9 }", "max_workers is fixed"),
    ("workers = { value = 2, max = 4 }", "workers is a number, or { value = ..., min = ..., max = ... }"),
    ("workers = { value = 2, min = 1, max = 4, step = 1 }", "workers is a number, or"),
    ("adjustable = { critical_load = { min = 1, max = 4 } }", "critical_load is not adjustable, or has no"),
    ("adjustable = { min_rows = { min = 1, max = 4 } }", "min_rows is not adjustable, or has no value"),
    ("workers = 2.5", "workers"),
    (busy(zone="Europe/Camelot"), "there is no time zone 'Europe/Camelot'"),
    (busy(zone="Europe"), "there is no time zone 'Europe'"),
    (busy(zone="../UTC"), "there is no time zone '../UTC'"),
    (busy(zone=""), "there is no time zone ''"),
    (busy(closes="Mon 24:30"), "'Mon 24:30' is no time of a day"),
    (busy(opens="Moon 08:00"), "opens"),
    (busy(pace="1"), "pace"),
    (busy(pace="-0.1"), "pace"),
    (busy("Mon 00:00", "Mon 00:00"), "busy all week at a pace of 0: the copy would stand still"),
]


@pytest.mark.parametrize(("lines", "said"), BROKEN)
def test_what_breaks_a_rule_is_refused_on_its_line(folder: Folder, lines: str, said: str) -> None:
    found = [error for error in errors(folder, lines) if said in error]
    assert len(found) == 1, folder.errors()
    first = folder.line_of(SECTION.strip())
    at = int(found[0].split(":")[1])
    assert first <= at <= first + lines.count("\n") + 1


@pytest.mark.parametrize("rows", ["initial_rows = 49", "initial_rows = 50001"])
def test_a_first_chunk_outside_its_own_bounds_is_refused(folder: Folder, rows: str) -> None:
    folder.change("initial_rows = 500", rows)
    assert any("initial_rows must lie between min_rows and max_rows" in error for error in folder.errors())


@pytest.mark.parametrize("name", UNITS)
def test_no_value_may_be_signed_below_what_lets_the_copy_go_on(folder: Folder, name: str) -> None:
    if name == "target_ms":
        folder.change("target_ms = 200\n", "")
    said = errors(folder, f"{name} = {{ value = 1, min = -1, max = 1 }}")
    assert any(f"{name} must not be below" in error for error in said)


def test_a_load_query_that_changes_something_is_refused(folder: Folder) -> None:
    folder.sql("4_backfill/load.sql", "DELETE FROM sales.order_line_old WHERE false RETURNING 1")
    assert any(
        "load.sql" in error for error in errors(folder, 'load_sql = "4_backfill/load.sql"', "max_load = 1")
    )
