"""Every cell of the matrix that means something, as a test. ``FAULTS_MATRIX=1`` asks for all, else a part."""

from __future__ import annotations

import os

import pytest

from tests.faults import results
from tests.faults.cell import play
from tests.faults.matrix import CI, MEANT, Cell
from tests.faults.world import World

pytestmark = pytest.mark.faults

ALL = os.environ.get("FAULTS_MATRIX") == "1"


@pytest.mark.parametrize("cell", MEANT if ALL else CI, ids=lambda cell: cell.id)
def test_cell(world: World, cell: Cell) -> None:
    try:
        result = play(world, cell)
    except BaseException as error:
        results.keep_failure(cell, error)
        raise
    results.keep(result)
    assert not result.violations, "\n".join(result.violations)
