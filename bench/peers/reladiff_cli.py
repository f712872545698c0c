"""reladiff by its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from typing import Literal

Algorithm = Literal["hashdiff", "joindiff"]

COLUMNS = (
    "provider_ticker", "ts_utc", "open", "high", "low", "close", "vol", "vwap", "trade_count", "is_partial",
    "source", "ingested_at", "raw",
)  # fmt: skip
THREADS = "2"


class ReladiffError(Exception):
    """reladiff ended with an error; says which."""


def compare(url: str, algorithm: Algorithm) -> tuple[float, tuple[int, int]]:
    """Seconds, and how many rows of either side have no equal on the other.

    What the start of the program takes, before it connects, is measured beside and taken off.
    """
    start, _ = _run("--version")
    columns = [word for name in COLUMNS for word in ("-c", name)]
    seconds, printed = _run(
        url, "wanted_bars", "found_bars", "-a", algorithm, "-k", "minute", *columns, "-j", THREADS, "--json"
    )
    signs = Counter(json.loads(line)[0] for line in printed.splitlines() if line.strip())
    return seconds - start, (signs["-"], signs["+"])


def _run(*arguments: str) -> tuple[float, str]:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "reladiff", *arguments],
        env={**os.environ, "COLUMNS": "1000000"},  # it breaks lines of JSON at the terminal's width
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode or "ERROR" in done.stderr:
        raise ReladiffError(done.stderr[-2000:])
    return seconds, done.stdout
