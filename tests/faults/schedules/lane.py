"""A process that carries out schedules: a seed a line on standard input, a result a line on standard output.

Lanes are processes, since each has databases, people and a broker of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import sys
import traceback
from dataclasses import asdict

import django

HARNESS = "the schedule is carried out"


def main() -> None:
    """Until standard input ends."""
    from tests.faults.schedules import playing, schedule, servers  # noqa: PLC0415 - needs Django's settings

    logging.disable(logging.WARNING)  # what people's clicks say of a broker that is away is no result
    with servers.servers() as world:
        for line in sys.stdin:
            seed = int(line)
            try:
                played = playing.play(world, schedule.draw(seed))
            except Exception:  # noqa: BLE001 - told as a violation: nothing that went wrong may go unseen
                sys.stderr.write(traceback.format_exc())
                text = traceback.format_exc()[-1500:]
                played = playing.Played(seed, (), {HARNESS: [text]}, (), 0.0, 0.0)
            sys.stdout.write(json.dumps(asdict(played)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    django.setup()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit none
    with contextlib.suppress(KeyboardInterrupt):
        main()
