"""Results of cells, kept while ``make faults-matrix`` runs: ``results/matrix.json``, one entry a cell."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.faults.cell import Result
    from tests.faults.matrix import Cell

RESULTS = Path(__file__).with_name("results")
MATRIX = RESULTS / "matrix.json"
LOCK = RESULTS / ".lock"


def keep(result: Result) -> None:
    """Note a cell that was carried out to its end."""
    _note(result.cell, {"seconds": result.seconds, "violations": list(result.violations)})


def keep_failure(cell: Cell, error: BaseException) -> None:
    """Note a cell whose run did not get to its end: that is a violation as well."""
    text = str(error).partition("\n")[0][:300]
    _note(cell, {"seconds": None, "violations": [f"{type(error).__name__}: {text}"]})


def read() -> dict[str, dict[str, Any]]:
    """Entries by the cell's id; empty before the first run."""
    found: dict[str, dict[str, Any]] = json.loads(MATRIX.read_text()) if MATRIX.exists() else {}
    return found


def _note(cell: Cell, entry: dict[str, Any]) -> None:
    if os.environ.get("FAULTS_MATRIX") != "1":
        return
    RESULTS.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:  # several test processes may share the cells among them
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = read() | {cell.id: entry}
        MATRIX.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n", encoding="utf-8")
