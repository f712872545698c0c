"""``python -m bench [--rows N] [--only P1,P5]``: measure on a server of its own, print, write JSON."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import machine, measuring, report, world
from bench.case import Line, UnlikeError
from bench.cases import CASES
from controlpanel import embedded

RESULTS = Path(__file__).parent / "results.json"
FEWEST_ROWS = 1_000


def run(
    cluster: embedded.Cluster,
    *,
    rows: int,
    growth: int | None = None,
    only: Sequence[str] = (),
    repetitions: int = 3,
) -> tuple[list[measuring.Result], dict[str, object]]:
    """Measure on a running cluster; the lines, and the facts of the machine.

    Raises UnlikeError where the two ways of a line did not do the same work.
    """

    def chosen(line: Line) -> bool:
        return not only or any(line.chosen_by(word) for word in only)

    facts = machine.facts(cluster.superuser_dsn())
    _tell(f"filling tables with {rows:,} rows")
    made = world.make(cluster, rows=rows, growth=growth)
    results = list(measuring.measure(CASES, made, chosen=chosen, repetitions=repetitions, tell=_tell))
    return results, facts


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all was measured, whatever the figures; 1 when a comparison was none; 2 for wrong arguments."""
    given = _parser().parse_args(arguments)
    only = [word.strip() for word in given.only.split(",") if word.strip()]
    if given.rows < FEWEST_ROWS or given.repetitions < 1 or not (given.growth or FEWEST_ROWS) >= FEWEST_ROWS:
        return _misused(f"--rows and --growth from {FEWEST_ROWS}, --repetitions from 1")
    known = [line for case in CASES for line in case.lines]
    if lost := [word for word in only if not any(line.chosen_by(word) for line in known)]:
        return _misused(f"no such figure: {', '.join(lost)} (known: {', '.join(line.id for line in known)})")
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-bench-"))
    data_dir.chmod(0o711)  # as root the server runs as another user, who passes through
    try:
        with embedded.Cluster(data_dir, fsync=True) as cluster:
            results, facts = run(
                cluster,
                rows=given.rows,
                growth=given.growth,
                only=only,
                repetitions=given.repetitions,
            )
    except UnlikeError as error:
        sys.stderr.write(f"not comparable: {error}\n")
        return 1
    finally:
        embedded.forget(data_dir)
    title = f"{given.rows:,} rows, medians of {given.repetitions}; ratio = ours / baseline, below 1 is better"
    report.console().print(report.table(results, title=title))
    content = report.as_json(results, machine=facts, rows=given.rows)
    if given.merge:
        content = report.merged(content, given.output, order=[line.id for line in known])
    report.write(given.output, content)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of history (default: %(default)s)")
    parser.add_argument("--growth", type=int, help="rows of what is measured in two sizes (default: not)")
    parser.add_argument("--only", default="", help="figures by id, by commas: P1,P6.insert")
    parser.add_argument(
        "--repetitions", type=int, default=3, help="of each way, in turn (default: %(default)s)"
    )
    parser.add_argument(
        "--merge", action="store_true", help="keep what the file has of lines that are not measured now"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    return parser


def _misused(reason: str) -> int:
    sys.stderr.write(f"{reason}\n")
    return 2


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
