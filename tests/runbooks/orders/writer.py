"""A shop that places, corrects and deletes order lines until it is told to stop: the live writer of the
orders runbook.

``python writer.py URL --version old|new [--seconds S] [--seed N] [--journal FILE]``. It names itself
``orders-writer/<version>``. Each line of the journal is written after the commit:
``{"order_id", "sku", "quantity"}``; quantity 0 says that the line was deleted.
"""

# ruff: noqa: INP001 - a script beside its runbook, part of no package

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

import psycopg

TABLES = {"old": "sales.order_line_old", "new": "sales.order_line"}
PLACE = {
    "old": "SELECT sales.place_line(%s::bigint, %s::text, %s::integer, %s::numeric, %s::text)",
    "new": "SELECT sales.place_line_direct(%s::bigint, %s::text, %s::integer, %s::numeric, %s::text)",
}
DELETE = {
    "old": "DELETE FROM sales.order_line_old WHERE order_id = %s AND sku = %s",
    "new": "DELETE FROM sales.order_line WHERE order_id = %s AND sku = %s",
}
FIRST_ORDER = 1_000_000
PAUSE_S = 0.005


def write(conn: psycopg.Connection, chance: random.Random, version: str) -> dict[str, object]:
    """One transaction: mostly a new or corrected line, now and then a deletion. What it wrote, once it is
    committed.
    """
    order_id, sku = FIRST_ORDER + chance.randrange(400), f"sku-{chance.randrange(4)}"
    quantity = 0 if chance.random() < 0.15 else chance.randint(1, 9)
    if quantity:
        conn.execute(PLACE[version], [order_id, sku, quantity, chance.randint(1, 9_999) / 100, None])
    else:
        conn.execute(DELETE[version], [order_id, sku])
    return {"order_id": order_id, "sku": sku, "quantity": quantity}


def run(url: str, *, version: str, seconds: float, seed: int, journal: IO[str] | None) -> int:
    """Write until the time is over or SIGTERM comes; how many transactions were committed."""
    stopped = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    chance, written, until = random.Random(seed), 0, time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True, application_name=f"orders-writer/{version}") as conn:
        while not stopped and time.monotonic() < until:
            line = write(conn, chance, version)
            written += 1
            if journal is not None:
                journal.write(json.dumps(line) + "\n")
                journal.flush()
            time.sleep(PAUSE_S)
    return written


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--version", choices=sorted(TABLES), required=True)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", type=Path)
    options = parser.parse_args()
    journal = options.journal.open("a", encoding="utf-8") if options.journal else None
    try:
        run(options.url, version=options.version, seconds=options.seconds, seed=options.seed, journal=journal)
    finally:
        if journal is not None:
            journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
