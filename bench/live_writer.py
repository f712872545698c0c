"""``python -m bench.live_writer``: an application that writes while something else happens.

A process of its own, so that it does not wait for the one that measures. Its parameters come as a line of
JSON on standard input; it answers ``ready``, begins at the next line, ends at the one after that, and prints
what it saw.
"""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import psycopg

from bench import world as worlds

EVERY_S = 0.005
"""A write is due so often. One that comes late is not made up for: the next one is due from then on."""


@dataclass(frozen=True)
class Writing:
    """What to write: bars of the ``minutes`` after ``start``; ``both``: the target, too, at once."""

    url: str
    start: str
    minutes: int
    both: bool


@dataclass
class Seen:
    """How many writes were committed in how many seconds, and how long the slowest of them took."""

    writes: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@contextmanager
def writing(what: Writing) -> Iterator[Seen]:
    """Write while the block lasts; what was seen is filled in at its end."""
    seen = Seen()
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=worlds.SQL_DIR.parent.parent,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(what)) + "\n")
            process.stdin.flush()
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the live writer did not start")
            process.stdin.write("go\n")
            process.stdin.flush()
            yield seen
            process.stdin.write("stop\n")
            process.stdin.flush()
            told = process.stdout.readline()
            if not told:
                raise RuntimeError("the live writer ended before it was told to")
            seen.__dict__.update(json.loads(told))
        finally:
            process.stdin.close()
            process.kill()


def main() -> None:
    """Write until told to end."""
    what = Writing(**json.loads(sys.stdin.readline()))
    texts = [worlds.statement(name).encode() for name in ("live_write", "live_write_target")[: 1 + what.both]]
    start, chosen = datetime.fromisoformat(what.start), random.Random(7)  # noqa: S311 - which bar does not matter
    with psycopg.connect(what.url, autocommit=True, application_name="bench-writer") as conn:
        conn.execute("SELECT 1")
        print("ready", flush=True)
        sys.stdin.readline()
        seen, began = Seen(), time.perf_counter()
        due = began
        while not select.select([sys.stdin], [], [], max(0.0, due - time.perf_counter()))[0]:
            place = {
                "at": start + timedelta(minutes=chosen.randrange(what.minutes)),
                "close": 100 + chosen.random(),
            }
            wrote = time.perf_counter()
            with conn.transaction():
                for text in texts:
                    conn.execute(text, place)
            ended = time.perf_counter()
            seen.writes += 1
            seen.longest = max(seen.longest, ended - wrote)
            due = max(due + EVERY_S, ended)
        seen.seconds = time.perf_counter() - began
    print(json.dumps(asdict(seen)), flush=True)


if __name__ == "__main__":
    main()
