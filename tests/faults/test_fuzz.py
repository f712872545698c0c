"""The fuzz of the move protocol: a few seeds of it, and that it can fail.

All seeds are played by ``make fuzz``. Here are few and small ones, the engine broken on purpose (which the
fuzz must find), and the judge on journals written by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from controlpanel import embedded
from tests.faults.fuzz import form, judge, route, tally
from tests.faults.fuzz.form import Route, Row
from tests.faults.fuzz.journal import Journal, Write

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(("seed", "way"), [(101, "reopened"), (102, "switched")])
def test_a_seed_loses_nothing_and_revives_nothing(cluster: embedded.Cluster, seed: int, way: Route) -> None:
    played = route.play(cluster.databases, seed, route=way, least=5, rows=200, pace_ms=0.5, baseline=False)
    assert [str(one) for one in played.violations + tally.unexpected(played)] == []
    assert played.transactions > 100
    assert played.kills.copiers > 0
    assert played.live_verifications > 0


@pytest.mark.parametrize("variant", ["loop_guard", "unnoted", "unlocked_drain"])
def test_a_broken_engine_is_found(cluster: embedded.Cluster, variant: str) -> None:
    """Which race a seed meets is the machine's; each of these is met by nearly every one."""
    found = []
    for seed in range(201, 206):
        played = route.play(cluster.databases, seed, variant=variant, least=10, rows=300, baseline=False)
        found = played.violations
        if found:
            break
    assert found, f"five seeds with {variant}, and no violation"


# -- the judge, without a database


def wrote(token: str | None, begin: float, end: float, *, tx: int, order: int = 0) -> Write:
    return Write(token=token, begin=begin, end=end, tx=tx, order=order)


def kinds(writes: Iterable[Write], row: Row | None, *, undone: Iterable[str] = ()) -> list[str]:
    journal = Journal(undone=set(undone))
    journal.writes[1] = list(writes)
    return [one.kind for one in judge.holds(journal, {} if row is None else {1: row}, side="source")]


FIRST = wrote("0.1", -math.inf, -math.inf, tx=0)
EARLY, LATE = wrote("1.1", 1, 2, tx=1), wrote("2.1", 3, 4, tx=2)


def test_the_last_word_stands_and_an_earlier_one_is_a_lost_write() -> None:
    assert kinds([FIRST, EARLY, LATE], form.row_of("2.1")) == []
    assert kinds([FIRST, EARLY, LATE], form.row_of("1.1")) == ["lost"]
    assert kinds([FIRST, EARLY, LATE], None) == ["lost"]


def test_of_two_writes_at_the_same_time_either_may_stand() -> None:
    beside = wrote("3.1", 3.5, 5, tx=3)
    for token in ("2.1", "3.1"):
        assert kinds([EARLY, LATE, beside], form.row_of(token)) == []
    assert kinds([EARLY, LATE, beside], form.row_of("1.1")) == ["lost"]


def test_a_deleted_row_that_lives_is_resurrected() -> None:
    deleted = wrote(None, 3, 4, tx=2)
    assert kinds([EARLY, deleted], None) == []
    assert kinds([EARLY, deleted], form.row_of("1.1")) == ["resurrected"]
    assert kinds([], form.row_of("9.9")) == ["resurrected"]


def test_what_was_rolled_back_is_dirty() -> None:
    assert kinds([EARLY], form.row_of("7.7"), undone=["7.7"]) == ["dirty"]


def test_a_row_of_two_writes_is_torn() -> None:
    mixed = (*form.row_of("2.1")[:3], ("other",))
    assert kinds([EARLY, LATE], mixed) == ["torn"]


def test_of_one_transaction_the_later_statement_counts() -> None:
    first, second = wrote("1.1", 1, 4, tx=1), wrote("1.2", 2, 4, tx=1, order=1)
    assert kinds([first, second], form.row_of("1.2")) == []
    assert kinds([first, second], form.row_of("1.1")) == ["lost"]


def test_two_sides_are_compared_whole() -> None:
    row = form.row_of("1.1")
    assert [one.kind for one in judge.alike({1: row}, {1: (*row[:2], "other", None), 2: row})] == [
        "unequal",
        "unequal",
    ]
    assert list(judge.alike({1: row}, {1: row})) == []
