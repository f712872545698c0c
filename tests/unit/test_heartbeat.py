"""A lease is kept alive from a thread, and its loss stops the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError

from migration_runs.exceptions import LeaseLost
from migration_runs.heartbeat import Heartbeat

LEASE = 0.6


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def _heartbeat(renew: Callable[[], bool], lost: list[str]) -> Heartbeat:
    return Heartbeat(renew, seconds=LEASE, on_lost=lambda: lost.append("lost"), watch=lambda: None)


def test_a_busy_worker_keeps_its_lease() -> None:
    lost: list[str] = []
    renewals: list[float] = []

    def renew() -> bool:
        renewals.append(time.monotonic())
        return True

    with _heartbeat(renew, lost) as heartbeat:
        _until(lambda: len(renewals) >= 4)
        heartbeat.check()
        assert heartbeat.good_for > 0
    assert not lost


def test_a_lease_that_went_to_another_stops_the_worker_and_its_statements() -> None:
    lost: list[str] = []
    with _heartbeat(lambda: False, lost) as heartbeat:
        _until(lambda: bool(lost))
        with pytest.raises(LeaseLost, match="another worker has taken over"):
            heartbeat.check()
        assert heartbeat.good_for == 0
    assert lost == ["lost"]


def test_one_renewal_that_fails_loses_nothing() -> None:
    lost: list[str] = []
    answers = iter([OperationalError("away")])
    renewals: list[float] = []

    def renew() -> bool:
        if error := next(answers, None):
            raise error
        renewals.append(time.monotonic())
        return True

    with _heartbeat(renew, lost) as heartbeat:
        _until(lambda: len(renewals) >= 2)
        heartbeat.check()
    assert not lost


def test_a_control_database_away_for_the_whole_lease_stops_the_worker() -> None:
    lost: list[str] = []

    def renew() -> bool:
        raise OperationalError("away")

    with _heartbeat(renew, lost) as heartbeat:
        _until(lambda: bool(lost))
        with pytest.raises(LeaseLost, match="could not be asked"):
            heartbeat.check()
    assert lost == ["lost"]


def test_a_process_that_slept_past_its_lease_asks_before_it_goes_on() -> None:
    """As after SIGSTOP and SIGCONT: the thread has not run yet when the worker's next look comes."""
    lost: list[str] = []
    heartbeat = _heartbeat(lambda: False, lost)
    time.sleep(LEASE * 1.1)
    with pytest.raises(LeaseLost, match="another worker has taken over"):
        heartbeat.check()


def test_what_a_person_asks_is_looked_for_while_the_worker_is_busy() -> None:
    asked = threading.Event()
    with Heartbeat(lambda: True, seconds=LEASE, on_lost=lambda: None, watch=asked.set):
        assert asked.wait(10)


def test_an_ended_heartbeat_renews_no_more() -> None:
    renewals: list[float] = []

    def renew() -> bool:
        renewals.append(time.monotonic())
        return True

    with _heartbeat(renew, []) as heartbeat:
        _until(lambda: bool(renewals))
        heartbeat.end()
        count = len(renewals)
        time.sleep(LEASE)
        assert len(renewals) == count
