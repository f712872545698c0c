"""What counts as live writes beside the copy, and for how long."""

from __future__ import annotations

from migration_runs.engine.move.live_writes import HOLD_S, LiveWrites


class Clock:
    """Seconds that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_many_changed_rows_a_second_are_seen_before_the_second_is_over() -> None:
    clock = Clock()
    writes = LiveWrites(clock)
    writes.noted(500)
    assert not writes.many
    clock.now += 0.1
    writes.noted(510)
    assert writes.many


def test_a_row_now_and_then_is_not_many_however_short_chunks_are() -> None:
    clock = Clock()
    writes = LiveWrites(clock)
    for look in range(400):
        writes.noted(look // 8)  # five rows a second
        assert not writes.many
        clock.now += 0.025


def test_a_long_chunk_has_to_see_more() -> None:
    clock = Clock()
    writes = LiveWrites(clock)
    writes.noted(0)
    clock.now += 10
    writes.noted(60)
    assert not writes.many
    clock.now += 10
    writes.noted(160)
    assert writes.many


def test_a_sign_is_believed_for_a_while_and_then_no_more() -> None:
    clock = Clock()
    writes = LiveWrites(clock)
    writes.collided()
    assert writes.many
    clock.now += HOLD_S / 2
    writes.noted(3)
    assert writes.many
    clock.now += HOLD_S / 2
    writes.noted(3)
    assert not writes.many
