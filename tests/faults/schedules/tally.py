"""What the schedules of one call showed, taken together: the summary, and the file that is published."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.matrix import FAULTS
from tests.faults.schedules.playing import Played

RESULTS = Path(__file__).parent.with_name("results") / "random.json"


@dataclass
class Tally:
    """Counts, schedule by schedule."""

    first: int
    played: list[Played] = field(default_factory=list)

    def add(self, one: Played) -> None:
        """Take in one schedule's result."""
        self.played.append(one)

    @property
    def injected(self) -> int:
        """Faults that hit something."""
        return sum(len(one.injected) for one in self.played)

    @property
    def violations(self) -> int:
        """Violations of all invariants."""
        return sum(len(texts) for one in self.played for texts in one.violations.values())

    def by_fault(self) -> dict[str, int]:
        """Faults injected by kind, every kind that there is."""
        counted = Counter(fault for one in self.played for fault in one.injected)
        return {fault: counted[fault] for fault in FAULTS}

    def by_invariant(self) -> Counter[str]:
        """Violations by the invariant that they break."""
        counted: Counter[str] = Counter()
        for one in self.played:
            counted.update({name: len(texts) for name, texts in one.violations.items()})
        return counted

    def lines(self) -> Iterator[str]:
        """The summary; its last line is ``N faults injected, V violations``."""
        seconds = [one.seconds for one in self.played]
        mean, most = (sum(seconds) / len(seconds), max(seconds)) if seconds else (0.0, 0.0)
        yield f"{len(self.played)} schedules, {mean:.1f} s each, {most:.1f} s at most"
        still = max((one.still_s for one in self.played), default=0.0)
        yield f"longest time that a run stood still with nothing in its way: {still:.1f} s"
        yield "faults by kind:"
        yield from (f"  {number:4d}  {FAULTS[fault]}" for fault, number in self.by_fault().items())
        if self.violations:
            yield "violations by invariant:"
            yield from (f"  {number:4d}  {name}" for name, number in self.by_invariant().most_common())
            yield "again (the machine's timing is not the seed's: it may take several times):"
            for one in self.played:
                if one.violations:
                    yield f"  python -m tests.faults.schedules --replay {one.seed}"
        yield f"{self.injected} faults injected, {self.violations} violations"

    def write(self) -> None:
        """Publish the counts."""
        RESULTS.parent.mkdir(exist_ok=True)
        told = {
            "seed_first": self.first,
            "schedules": len(self.played),
            "faults_injected": self.injected,
            "by_kind": self.by_fault(),
            "violations": self.violations,
        }
        RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
