"""The table that people read, and the file that programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.case import Unit
from bench.measuring import Result

MET = {True: "yes", False: "no", None: "-"}


def table(results: Sequence[Result], *, title: str) -> Table:
    """What, ours, baseline, ratio, target, met; one row for each line."""
    made = Table(title=title, title_justify="left")
    for heading in ("", "what", "against"):
        made.add_column(heading, overflow="fold")
    for heading in ("ours", "baseline", "ratio", "target", "met"):
        made.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        line = result.line
        made.add_row(
            line.id,
            line.what,
            line.baseline,
            amount(result.ours, line.unit),
            amount(result.baseline, line.unit),
            ratio(result.ratio),
            "-" if line.target is None else f"≤ {ratio(line.target)}",
            MET[result.met],
        )
    return made


def as_json(results: Sequence[Result], *, machine: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """The same as plain data: amounts in the line's unit, medians first, every single one after them."""
    return {
        "machine": dict(machine),
        "rows": rows,
        "results": [
            {
                "id": result.line.id,
                "what": result.line.what,
                "against": result.line.baseline,
                "unit": result.line.unit,
                "rows": rows,
                "ours": result.ours,
                "baseline": result.baseline,
                "ratio": result.ratio,
                "target": result.line.target,
                "met": result.met,
                "note": result.note,
                "all_ours": list(result.all_ours),
                "all_baseline": list(result.all_baseline),
            }
            for result in results
        ],
    }


def load(path: Path) -> list[dict[str, Any]]:
    """The lines that a file has; none where there is no file."""
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return lines


def merged(
    new: Mapping[str, Any], old: Sequence[Mapping[str, Any]], *, order: Sequence[str]
) -> dict[str, Any]:
    """``new`` with the lines of ``old`` beside, each with its own ``rows``; ``order`` is of ids.

    Lines that ``order`` does not know are of an older version and go.
    """
    by_id = {line["id"]: line for line in [*old, *new["results"]]}
    return {**new, "results": [by_id[key] for key in order if key in by_id]}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write the JSON, whole or not at all."""
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def console() -> Console:
    """Standard output; wide enough for the table where it is not a terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=130)


def ratio(value: float) -> str:
    """``1.08 x``; far below 1 as a fraction, ``1/28 x``."""
    if value < 0.1:
        return f"1/{1 / value:.0f} x" if value > 0 else "0 x"
    return f"{value:.2f} x"


def amount(value: float, unit: Unit) -> str:
    """An amount as people read it."""
    if unit == "MB":
        return f"{value:.1f} MB"
    if value < 0.1:
        return f"{value * 1000:.2f} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
