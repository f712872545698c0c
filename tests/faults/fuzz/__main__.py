"""``python -m tests.faults.fuzz --seeds N [--seed n]``: play seeds on a server of its own; 1 if one is
violated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from controlpanel import embedded
from tests.faults.fuzz import route, tally, variants


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when no seed was violated."""
    given = _parser().parse_args(arguments)
    seeds = [given.seed] if given.seed is not None else list(range(given.first, given.first + given.seeds))
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-fuzz-"))
    data_dir.chmod(0o711)  # as root the server runs as another user, who passes through
    played: list[route.Played] = []
    try:
        with embedded.Cluster(data_dir, fsync=False, broker=False) as cluster:
            for seed in seeds:
                one = route.play(cluster.databases, seed, variant=given.variant)
                one.violations += tally.unexpected(one)
                played.append(one)
                _tell(tally.told(one))
    except KeyboardInterrupt:
        _tell("interrupted")
    finally:
        embedded.forget(data_dir)
    if not played:
        return 1
    counts = tally.as_json(played)
    if given.variant is None and given.seed is None and len(played) == len(seeds):
        tally.write(counts, given.output)
    _tell(tally.line(counts))
    return 1 if counts["violations"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--seeds", type=int, default=40, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="play this one alone; nothing is written")
    parser.add_argument("--variant", choices=sorted(variants.VARIANTS), help="break the engine in this way")
    parser.add_argument("--output", type=Path, default=tally.RESULTS, help="where the JSON goes")
    return parser


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
