"""What counts as live writes beside the copy, and for how long."""

from __future__ import annotations

from migration_runs.engine.move.live_writes import ASSUMED_S, HOLD_S, LiveWrites


class Clock:
    """Seconds that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def begun() -> tuple[Clock, LiveWrites]:
    """A worker that has been at it for long enough to know."""
    clock = Clock()
    writes = LiveWrites(clock)
    clock.now += ASSUMED_S
    return clock, writes


def test_a_worker_that_begins_takes_live_writes_for_granted() -> None:
    clock = Clock()
    writes = LiveWrites(clock)
    assert writes.many
    writes.noted(500)
    clock.now += ASSUMED_S
    writes.noted(500)
    assert not writes.many


def test_many_changed_rows_a_second_are_seen_before_the_second_is_over() -> None:
    clock, writes = begun()
    writes.noted(500)
    assert not writes.many
    clock.now += 0.1
    writes.noted(510)
    assert writes.many


def test_a_row_now_and_then_is_not_many_however_short_chunks_are() -> None:
    clock, writes = begun()
    for look in range(400):
        writes.noted(look // 8)  # five rows a second
        assert not writes.many
        clock.now += 0.025


def test_a_long_chunk_has_to_see_more() -> None:
    clock, writes = begun()
    writes.noted(0)
    clock.now += 10
    writes.noted(60)
    assert not writes.many
    clock.now += 10
    writes.noted(160)
    assert writes.many


def test_a_sign_is_believed_for_a_while_and_then_no_more() -> None:
    clock, writes = begun()
    writes.collided()
    assert writes.many
    clock.now += HOLD_S / 2
    writes.noted(3)
    assert writes.many
    clock.now += HOLD_S / 2
    writes.noted(3)
    assert not writes.many
