"""How a copy is cut into chunks: nothing left out, nothing twice, a size that tunes itself as signed."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_runs.engine.move import chunks
from migration_runs.runbook.copying import CopySettings
from migration_runs.runbook.move import Move

MOVE = Move(
    name="bars",
    source="public.old",
    target="public.new",
    key=("symbol", "ts"),
    chunk_column="ts",
    scope={"symbol": "DXY"},
    columns={"symbol": "symbol", "ts": "ts"},
)


def test_the_order_is_unique_within_the_scope() -> None:
    assert chunks.order_columns(MOVE) == ("ts",)
    wide = MOVE.model_copy(update={"key": ("tenant", "code", "ts"), "chunk_column": "tenant", "scope": {}})
    assert chunks.order_columns(wide) == ("tenant", "code", "ts")


def test_a_chunk_column_outside_the_key_comes_first() -> None:
    move = MOVE.model_copy(update={"chunk_column": "id"})
    assert chunks.order_columns(move) == ("id", "ts")


@given(st.lists(st.text(), min_size=1, max_size=4).map(tuple))
def test_bounds_survive_the_ledger(bound: tuple[str, ...]) -> None:
    assert chunks.decode(chunks.encode(bound)) == bound


def test_the_beginning_survives_the_ledger() -> None:
    assert chunks.decode(chunks.encode(None)) is None


@given(
    values=st.lists(st.integers(0, 50), max_size=60).map(sorted),
    ranges=st.integers(1, 12),
    rows=st.integers(0, 10_000),
)
def test_ranges_adjoin_and_cover_everything_once(values: list[int], ranges: int, rows: int) -> None:
    last = (f"{max(values, default=0):03}",)
    planned = chunks.split([(f"{value:03}",) for value in values], last=last, rows=rows, ranges=ranges)
    assert planned[0].lo is None
    assert planned[-1].hi == last
    for before, after in itertools.pairwise(planned):
        assert before.hi == after.lo
        assert before.hi < after.hi
        assert before.n < after.n
    assert sum(part.rows for part in planned) == rows
    assert len(planned) <= ranges


def test_an_even_sample_gives_even_ranges() -> None:
    sample = [(f"{value:04}",) for value in range(1000)]
    planned = chunks.split(sample, last=("0999",), rows=1000, ranges=4)
    assert [part.hi for part in planned] == [("0250",), ("0500",), ("0750",), ("0999",)]


def test_the_size_finds_the_target_time() -> None:
    size = chunks.ChunkSize(CopySettings(initial_rows=1_000, min_rows=10, max_rows=1_000_000, target_ms=500))
    for _ in range(20):
        size.took(rows=size.rows, ms=size.rows / 100)  # 100 rows a millisecond
    assert size.rows == pytest.approx(50_000, rel=0.02)


def test_the_size_stays_inside_its_signed_bounds() -> None:
    settings = CopySettings(initial_rows=5_000, min_rows=100, max_rows=20_000, target_ms=500)
    size = chunks.ChunkSize(settings)
    for _ in range(20):
        size.took(rows=size.rows, ms=0.01)
    assert size.rows == 20_000
    for _ in range(20):
        size.took(rows=size.rows, ms=60_000)
    assert size.rows == 100


def test_initial_rows_outside_the_bounds_are_brought_inside() -> None:
    assert chunks.ChunkSize(CopySettings(initial_rows=5, min_rows=100)).rows == 100
    assert chunks.ChunkSize(CopySettings(initial_rows=5_000, max_rows=300)).rows == 300


def test_one_slow_chunk_does_not_throw_the_size_far_off() -> None:
    size = chunks.ChunkSize(CopySettings(initial_rows=8_000))
    size.took(rows=8_000, ms=60_000)
    assert size.rows == 4_000


def test_the_short_last_piece_of_a_range_teaches_nothing() -> None:
    size = chunks.ChunkSize(CopySettings(initial_rows=8_000))
    size.took(rows=10, ms=20)
    assert size.rows == 8_000


def test_a_chunk_that_gave_way_is_retried_smaller() -> None:
    size = chunks.ChunkSize(CopySettings(initial_rows=8_000, min_rows=3_000))
    size.yielded()
    assert size.rows == 4_000
    size.yielded()
    assert size.rows == 3_000


def test_beside_live_writes_a_chunk_is_shorter_at_once_and_grows_back_afterwards() -> None:
    settings = CopySettings(initial_rows=8_000, target_ms=400, live_target_ms=25)
    size = chunks.ChunkSize(settings)
    size.follow(settings, live=True)
    assert size.rows == 500
    size.took(rows=500, ms=25)
    assert size.rows == 500
    size.follow(settings, live=False)
    assert size.rows == 500
    size.took(rows=500, ms=25)
    assert size.rows == 1_000


def test_live_writes_never_make_a_chunk_longer() -> None:
    settings = CopySettings(initial_rows=8_000, target_ms=20, live_target_ms=25)
    size = chunks.ChunkSize(settings)
    size.follow(settings, live=True)
    size.took(rows=8_000, ms=20)
    assert size.rows == 8_000


def test_retries_wait_longer_each_time_and_never_alike() -> None:
    chance = random.Random(1)
    first = {chunks.retry_delay(1, chance=chance) for _ in range(50)}
    late = {chunks.retry_delay(30, chance=chance) for _ in range(50)}
    assert len(first) > 40
    assert 0.01 <= min(first) <= max(first) <= 0.02
    assert 1.0 <= min(late) <= max(late) <= 2.0
