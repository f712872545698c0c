"""``python -m bench.page [--publish]``: the figures of ``bench/published.json`` as a table in the docs.

``--publish`` first takes over ``bench/results.json``, the last measurement, as the one to be shown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import report

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
PUBLISHED = FOLDER / "published.json"
PAGE = FOLDER.parent / "docs" / "reference" / "performance.md"
BEGIN, END = "<!-- figures: make bench-page writes them -->\n", "<!-- end of figures -->\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the page's table; 2 when there is nothing to publish."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--publish", action="store_true", help="show the last measurement from now on")
    if parser.parse_args(arguments).publish:
        if not RESULTS.exists():
            sys.stderr.write(f"{RESULTS} is not there: measure first, with make bench\n")
            return 2
        shutil.copyfile(RESULTS, PUBLISHED)
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), published()), encoding="utf-8")
    return 0


def published() -> dict[str, Any]:
    """The figures that the page shows."""
    content: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return content


def with_figures(page: str, content: Mapping[str, Any]) -> str:
    """The page with these figures between its two marks. Raises ValueError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the figures")
    return before + begin + "\n" + figures(content) + "\n" + end + after


def figures(content: Mapping[str, Any]) -> str:
    """What they were measured on, the table, and what is to be said about single lines."""
    machine = content["machine"]
    server = machine["postgresql"]
    lines = [
        (
            f"Measured on {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
            f"PostgreSQL {server['server_version']} (`shared_buffers` {server['shared_buffers']}, "
            f"`max_wal_size` {server['max_wal_size']}, `fsync` {server['fsync']}); "
            f"load at the start {machine['load_at_start'][0]}."
        ),
        "",
        "| id | against | rows | ours | baseline | ratio | target | met |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    lines += [_row(line) for line in content["results"]]
    notes = [f"- `{line['id']}`: {line['note']}" for line in content["results"] if line["note"]]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def _row(line: Mapping[str, Any]) -> str:
    target = line["target"]
    cells = (
        f"`{line['id']}`",
        line["against"].replace("|", r"\|"),
        f"{line['rows']:,}",
        report.amount(line["ours"], line["unit"]),
        report.amount(line["baseline"], line["unit"]),
        report.ratio(line["ratio"]),
        "" if target is None else f"≤ {report.ratio(target)}",
        "" if target is None else report.MET[line["met"]],
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
