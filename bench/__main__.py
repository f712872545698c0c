"""``python -m bench [--rows N] [--only P1,P5]``: measure on a server of its own, print, write JSON."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
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
) -> Iterator[measuring.Result]:
    """Measure on a running cluster, line after line.

    Raises UnlikeError where the two ways of a line did not do the same work.
    """

    def chosen(line: Line) -> bool:
        return not only or any(line.chosen_by(word) for word in only)

    _tell(f"filling tables with {rows:,} rows")
    made = world.make(cluster, rows=rows, growth=growth)
    yield from measuring.measure(CASES, made, chosen=chosen, repetitions=repetitions, tell=_tell)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all was measured, whatever the figures; 1 when a comparison was none; 2 for wrong arguments; 130
    when it was interrupted. What was measured until then is in the file in each case.
    """
    given = _parser().parse_args(arguments)
    only = [word.strip() for word in given.only.split(",") if word.strip()]
    if given.rows < FEWEST_ROWS or given.repetitions < 1 or not (given.growth or FEWEST_ROWS) >= FEWEST_ROWS:
        return _misused(f"--rows and --growth from {FEWEST_ROWS}, --repetitions from 1")
    known = [line for case in CASES for line in case.lines]
    if lost := [word for word in only if not any(line.chosen_by(word) for line in known)]:
        return _misused(f"no such figure: {', '.join(lost)} (known: {', '.join(line.id for line in known)})")
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-bench-"))
    data_dir.chmod(0o711)  # as root the server runs as another user, who passes through
    before = report.load(given.output) if given.merge else []
    results: list[measuring.Result] = []
    try:
        with embedded.Cluster(data_dir, fsync=True) as cluster:
            facts = machine.facts(cluster.superuser_dsn())
            for result in run(
                cluster, rows=given.rows, growth=given.growth, only=only, repetitions=given.repetitions
            ):
                results.append(result)
                content = report.as_json(results, machine=facts, rows=given.rows)
                report.write(given.output, report.merged(content, before, order=[line.id for line in known]))
    except UnlikeError as error:
        sys.stderr.write(f"not comparable: {error}\n{_kept(results, given.output)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted; {_kept(results, given.output)}\n")
        return 130
    finally:
        embedded.forget(data_dir)
    title = f"{given.rows:,} rows, medians of {given.repetitions}; ratio = ours / baseline, below 1 is better"
    report.console().print(report.table(results, title=title))
    return 0


def _kept(results: Sequence[measuring.Result], output: Path) -> str:
    """What became of the lines that were measured, and how to go on."""
    if not results:
        return "nothing was measured yet"
    return f"{len(results)} lines are in {output}; measure the others with --only IDS --merge"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of history (default: %(default)s)")
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
