"""The table that people read, and the file that programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

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
        target = result.line.target
        made.add_row(
            result.line.id,
            result.line.what,
            result.line.baseline,
            _seconds(result.ours),
            _seconds(result.baseline),
            f"{result.ratio:.2f} x",
            "-" if target is None else f"≤ {target:.2f} x",
            MET[result.met],
        )
    return made


def as_json(results: Sequence[Result], *, machine: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """The same as plain data: times in seconds, medians first, every single one after them."""
    return {
        "machine": dict(machine),
        "rows": rows,
        "results": [
            {
                "id": result.line.id,
                "what": result.line.what,
                "against": result.line.baseline,
                "ours": result.ours,
                "baseline": result.baseline,
                "ratio": result.ratio,
                "target": result.line.target,
                "met": result.met,
                "all_ours": list(result.all_ours),
                "all_baseline": list(result.all_baseline),
            }
            for result in results
        ],
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write the JSON, whole or not at all."""
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def console() -> Console:
    """Standard output; wide enough for the table where it is not a terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=130)


def _seconds(value: float) -> str:
    if value < 0.1:
        return f"{value * 1000:.2f} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
