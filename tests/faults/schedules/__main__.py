"""``python -m tests.faults.schedules``: random schedules of faults until enough faults were injected.

Its last line is ``N faults injected, V violations``; the exit code is 1 where there is a violation.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django


def main(arguments: list[str]) -> int:
    """Play, print, sum up."""
    given = _parser().parse_args(arguments)
    if given.replay is not None:
        first, seeds, enough = given.replay, iter(range(given.replay, given.replay + 1)), 1
    else:
        first = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
        seeds, enough = itertools.count(first), given.faults
    django.setup()
    from tests.faults import page  # noqa: PLC0415 - as the next
    from tests.faults.schedules import lanes, schedule, tally  # noqa: PLC0415 - need Django's settings

    counts = tally.Tally(first)

    def next_seed() -> int | None:
        if counts.injected >= enough or (seed := next(seeds, None)) is None:
            return None
        _say(str(schedule.draw(seed)))
        return seed

    whole = True
    try:
        for played in lanes.played_in(1 if given.replay is not None else given.jobs, next_seed):
            counts.add(played)
            _tell(played)
    except KeyboardInterrupt:
        _say("stopped; so far:")
        whole = False
    if whole and given.replay is None:
        counts.write()
        page.write()
    for line in counts.lines():
        _say(line)
    return 1 if counts.violations else 0


def _tell(played: object) -> None:
    from tests.faults.schedules.playing import Played  # noqa: PLC0415 - as above

    assert isinstance(played, Played)
    hits = ", ".join(played.injected) or "nothing"
    wrong = sum(map(len, played.violations.values()))
    _say(f"seed {played.seed}: {played.seconds} s, hit by {hits}; {wrong} violations")
    for text in played.rescues:
        _say(f"    people: {text}")
    for name, texts in played.violations.items():
        for text in texts:
            _say(f"    VIOLATION of {name}: {text}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.schedules", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="stop once so many were injected (200)")
    parser.add_argument("--seed", type=int, help="of the first schedule; the next ones count up from it")
    parser.add_argument("--replay", type=int, metavar="SEED", help="play this one schedule again")
    parser.add_argument(
        "--jobs", type=int, default=2, help="schedules at a time, on servers of their own (2)"
    )
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit none
    sys.exit(main(sys.argv[1:]))
