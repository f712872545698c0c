"""``python -m tests.faults.page``: writes docs/reference/reliability.md from the matrix and its last results.

Its last line of output is ``C cells, V violations``; the exit code is 1 where there is a violation.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults import results
from tests.faults.matrix import CELLS, CI, FAULTS, MEANT, MOMENTS, Cell

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "reference" / "reliability.md"
INVARIANTS = Path(__file__).with_name("invariants.py")
PEOPLE = """Besides, a cell says what people must do beyond their routine: nothing in most cells, so that
the run must go on by itself; or retry a phase, resume a held run, sign again. More than that is a violation,
and so is less.
"""
LEGEND = """✓ carried out without a violation, ✗ with one, · not carried out yet, blank: void. A star marks
what `make test` carries out.
"""
OTHERS = {
    "random.json": "Random schedules of faults",
    "fuzz.json": "Random writers against the move protocol",
}

JUDGES = {"violations", "by_name"}
"""Functions of the invariants' module that ask them all."""
HEAD = Path(__file__).with_name("page_head.md")


def write() -> tuple[int, int]:
    """Write the page; how many cells were carried out, and how many violations they found."""
    PAGE.write_text(text(), encoding="utf-8")
    return counts()


def counts() -> tuple[int, int]:
    """Cells carried out and violations, of the last results."""
    entries = results.read()
    known = {cell.id for cell in MEANT} & set(entries)
    return len(known), sum(len(entries[name]["violations"]) for name in known)


def text() -> str:
    """The page as it has to be."""
    head = HEAD.read_text(encoding="utf-8").format(
        faults=len(FAULTS), moments=len(MOMENTS), meant=len(MEANT), all=len(CELLS), ci=len(CI)
    )
    return "\n".join([head, *_counts(), *_invariants(), *_table(), *_cells(), *_void()]).rstrip() + "\n"


def _counts() -> Iterator[str]:
    cells, violations = counts()
    entries = results.read()
    waited = [entry["seconds"] for entry in entries.values() if entry["seconds"] is not None]
    yield "## Counts\n"
    yield "| what | carried out | violations |\n|---|---|---|"
    yield f"| Cells of this matrix | {cells} of {len(MEANT)} | {violations} |"
    for name, title in OTHERS.items():
        path = results.RESULTS / name
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            told = ", ".join(
                f"{key.replace('_', ' ')} {value}" for key, value in found.items() if _tells(key, value)
            )
            yield f"| {title} | {told} | {found['violations']} |"
    if waited:
        yield f"\nThe longest time from a fault's end until the run went on was {max(waited):.0f} s."
    yield ""


def _tells(key: str, value: object) -> bool:
    return key != "violations" and isinstance(value, int | float | str)


def _invariants() -> Iterator[str]:
    yield "## What must hold after every cell\n"
    for node in ast.parse(INVARIANTS.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.name in JUDGES:
            continue
        said = " ".join((ast.get_docstring(node) or "").split())
        yield f"- **{node.name.replace('_', ' ').capitalize()}.** {said}"
    yield f"\n{PEOPLE}"


def _table() -> Iterator[str]:
    entries = results.read()
    yield "## The matrix\n"
    yield LEGEND
    yield "| | " + " | ".join(MOMENTS.values()) + " |"
    yield "|---" * (len(MOMENTS) + 1) + "|"
    for fault, title in FAULTS.items():
        signs = [_sign(CELLS[fault, moment], entries) for moment in MOMENTS]
        yield f"| {title} | " + " | ".join(signs) + " |"
    yield ""


def _sign(cell: Cell, entries: dict[str, Any]) -> str:
    if cell.void:
        return ""
    entry = entries.get(cell.id)
    sign = "·" if entry is None else "✗" if entry["violations"] else "✓"
    return sign + ("\\*" if cell.ci else "")


def _cells() -> Iterator[str]:
    yield "## What each cell must show\n"
    yield "| fault | moments | shows | people |\n|---|---|---|---|"
    for fault, title in FAULTS.items():
        groups: dict[tuple[str, frozenset[str]], list[str]] = {}
        for moment, words in MOMENTS.items():
            cell = CELLS[fault, moment]
            if not cell.void:
                groups.setdefault((cell.shows, cell.needs), []).append(words)
        for (shows, needs), moments in groups.items():
            yield f"| {title} | {', '.join(moments)} | {shows} | {', '.join(sorted(needs)) or 'nothing'} |"
    yield ""


def _void() -> Iterator[str]:
    yield "## Void cells\n"
    yield "| fault | moments | why |\n|---|---|---|"
    for fault, title in FAULTS.items():
        groups: dict[str, list[str]] = {}
        for moment, words in MOMENTS.items():
            if why := CELLS[fault, moment].void:
                groups.setdefault(why, []).append(words)
        for why, moments in groups.items():
            yield f"| {title} | {', '.join(moments)} | {why} |"


def main() -> int:
    """Write, and say the counts."""
    cells, violations = write()
    sys.stdout.write(f"{PAGE.relative_to(CHECKOUT)} written\n{cells} cells, {violations} violations\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
