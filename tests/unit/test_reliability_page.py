"""The page on reliability is what its generator makes of the matrix and the last results."""

from __future__ import annotations

from tests.faults import page
from tests.faults.matrix import CELLS, CI, FAULTS, MEANT, MOMENTS


def test_the_page_is_what_the_generator_makes() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "run: python -m tests.faults.page"


def test_every_cell_is_either_meant_or_void_with_a_reason() -> None:
    assert set(CELLS) == {(fault, moment) for fault in FAULTS for moment in MOMENTS}
    for cell in CELLS.values():
        assert bool(cell.shows) != bool(cell.void), cell.id


def test_a_part_of_the_cells_touches_every_fault_and_every_moment() -> None:
    assert {cell.fault for cell in CI} == set(FAULTS)
    assert {cell.moment for cell in CI} == set(MOMENTS)
    assert 20 <= len(CI) <= 32
    assert len(MEANT) >= 90
