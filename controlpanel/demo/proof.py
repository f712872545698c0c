"""Proof that nothing was lost: what the feed says it wrote, and all history, against what readers see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from bars import readers

EXAMPLES = 5


@dataclass(frozen=True)
class Proof:
    """Bars that readers should see but do not, see twice, or see with another value; all 0 is the goal."""

    expected: int
    written_during_run: int
    missing: int
    duplicated: int
    different: int
    examples: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled or changed."""
        return not (self.missing or self.duplicated or self.different)


def history(conn: psycopg.Connection[Any]) -> dict[datetime, float]:
    """Every DXY 1m bar that the old readers see before the run: minute (UTC) → close."""
    return {bar.ts: bar.close for bar in readers.bars_seen(conn, state="legacy")}


def journal_lines(path: Path) -> Iterator[tuple[datetime, float]]:
    """The feed's journal, in the order of its commits, without a line that a kill cut off."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                entry = json.loads(line)
                yield datetime.fromisoformat(entry["ts"]), float(entry["close"])


def prove(
    conn: psycopg.Connection[Any], *, state: readers.State, before: dict[datetime, float], journal: Path
) -> Proof:
    """Compare what readers in ``state`` see with ``before`` as the feed's journal changed it."""
    expected = dict(before)
    written: set[datetime] = set()
    for ts, close in journal_lines(journal):
        expected[ts] = close
        written.add(ts)
    seen: set[datetime] = set()
    duplicated = different = 0
    examples: list[str] = []
    for bar in readers.bars_seen(conn, state=state):
        wanted = expected.get(bar.ts)
        if bar.ts in seen:
            duplicated += 1
            examples.append(f"{bar.ts:%Y-%m-%d %H:%M} is seen twice")
        elif wanted is not None and wanted != bar.close:
            different += 1
            examples.append(f"{bar.ts:%Y-%m-%d %H:%M} is {bar.close}, should be {wanted}")
        seen.add(bar.ts)
        del examples[EXAMPLES:]
    lost = sorted(expected.keys() - seen)
    examples += [f"{ts:%Y-%m-%d %H:%M} is missing" for ts in lost[:EXAMPLES]]
    return Proof(
        expected=len(expected),
        written_during_run=len(written),
        missing=len(lost),
        duplicated=duplicated,
        different=different,
        examples=tuple(examples),
    )
