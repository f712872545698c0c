"""Proof that nothing was lost: what the feed says it wrote, and all history, against what readers see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from bars import deployment, readers, signals

EXAMPLES = 5

SIGNAL_MINUTES = 250_000
"""How many of the newest minutes the signal engine is asked for at the end: half a year and more. It answers
in one piece, so this bounds the memory of a proof over millions of bars."""


@dataclass(frozen=True)
class Proof:
    """Minutes (UTC) that readers should see but do not, see twice, or see with another value.

    All three empty is the goal.
    """

    expected: int
    written_during_run: int
    missing: frozenset[datetime]
    duplicated: frozenset[datetime]
    different: frozenset[datetime]
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
    """Compare what readers see with ``before`` as the feed's journal changed it.

    Two readers are asked: the yardstick of ``state`` over all history, and the signal engine of the deployed
    version over the newest ``SIGNAL_MINUTES``. What either of them does not see right counts.
    """
    expected = dict(before)
    written: set[datetime] = set()
    for ts, close in journal_lines(journal):
        expected[ts] = close
        written.add(ts)
    version = deployment.deployed_version(conn, "signals")
    newest = dict(sorted(expected.items())[-SIGNAL_MINUTES:])
    oldest = min(newest, default=datetime.min.replace(tzinfo=UTC))
    # Twice as many as there should be: where all of them came twice, the oldest would be cut off.
    engine = signals.latest_bars(
        conn, symbol="DXY", timeframe="1m", limit=2 * len(newest) + 1, version=version
    )
    found = (
        _compare(
            ((bar.ts, bar.close) for bar in readers.bars_seen(conn, state=state)),
            expected=expected,
            reader=f"{state} readers",
        ),
        _compare(
            ((bar.ts, bar.close) for bar in engine if bar.ts >= oldest),
            expected=newest,
            reader=f"the {version} signal engine",
        ),
    )
    return Proof(
        expected=len(expected),
        written_during_run=len(written),
        missing=frozenset().union(*(one.missing for one in found)),
        duplicated=frozenset().union(*(one.duplicated for one in found)),
        different=frozenset().union(*(one.different for one in found)),
        examples=tuple(example for one in found for example in one.examples),
    )


@dataclass(frozen=True)
class _Differences:
    """What one reader does not see right."""

    missing: frozenset[datetime]
    duplicated: frozenset[datetime]
    different: frozenset[datetime]
    examples: tuple[str, ...]


def _compare(
    bars: Iterable[tuple[datetime, float]], *, expected: dict[datetime, float], reader: str
) -> _Differences:
    seen: set[datetime] = set()
    duplicated: set[datetime] = set()
    different: set[datetime] = set()
    examples: list[str] = []
    # A bar that the feed was killed before noting lies at the end; an earlier one that nobody wrote ought not
    # to be there: a withdrawn one brought back, for instance.
    newest = max(expected, default=None)
    for ts, close in bars:
        wanted = expected.get(ts)
        if wanted is None and newest is not None and ts < newest:
            different.add(ts)
            examples.append(f"{ts:%Y-%m-%d %H:%M} is seen by {reader}, though nobody wrote it")
        if ts in seen:
            duplicated.add(ts)
            examples.append(f"{ts:%Y-%m-%d %H:%M} is seen twice by {reader}")
        if wanted is not None and wanted != close:
            different.add(ts)
            examples.append(f"{ts:%Y-%m-%d %H:%M} is {close} to {reader}, should be {wanted}")
        seen.add(ts)
        del examples[EXAMPLES:]
    lost = sorted(expected.keys() - seen)
    examples += [f"{ts:%Y-%m-%d %H:%M} is missing to {reader}" for ts in lost[:EXAMPLES]]
    return _Differences(
        missing=frozenset(lost),
        duplicated=frozenset(duplicated),
        different=frozenset(different),
        examples=tuple(examples),
    )
