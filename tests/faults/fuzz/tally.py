"""The counts of all seeds: one line for people, one file for the documentation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.fuzz.judge import Violation
from tests.faults.fuzz.route import Played

RESULTS = Path(__file__).resolve().parents[1] / "results" / "fuzz.json"

DOCUMENTED = frozenset({"23505", "40001", "40P01"})
"""What an application may be answered, with dual-write as without it: docs/explanation/protocol.md."""


def unexpected(played: Played) -> list[Violation]:
    """Answers that the documentation does not name and that the same writers do not get without us."""
    return [
        Violation("error", f"{count} writers were answered {code}")
        for code, count in played.errors_with.items()
        if code not in DOCUMENTED
    ]


def as_json(seeds: Sequence[Played]) -> dict[str, Any]:
    """The counts of these seeds."""
    errors = {"with": Counter[str](), "without": Counter[str]()}
    for one in seeds:
        errors["with"] += one.errors_with
        errors["without"] += one.errors_without
    return {
        "seed_first": seeds[0].seed,
        "seeds": len(seeds),
        "transactions": sum(one.transactions for one in seeds),
        "copier_kills": sum(one.kills.copiers for one in seeds),
        "other_kills": sum(one.kills.others for one in seeds),
        "live_verifications": sum(one.live_verifications for one in seeds),
        "drains": sum(one.drains for one in seeds),
        "undecided_keys": sum(one.undecided for one in seeds),
        "routes": dict(sorted(Counter(one.route for one in seeds).items())),
        "violations": sum(len(one.violations) for one in seeds),
        "errors_with": dict(sorted(errors["with"].items())),
        "errors_without": dict(sorted(errors["without"].items())),
    }


def line(counts: dict[str, Any]) -> str:
    """The last line of a run."""
    return (
        f"{counts['seeds']} seeds, {counts['transactions']} transactions, "
        f"{counts['copier_kills']} copier kills, {counts['live_verifications']} live verifications, "
        f"{counts['violations']} violations"
    )


def told(played: Played) -> str:
    """One seed in one line, and its violations below it."""
    form = played.form
    made = f"{form.key}, {form.soft}{' full' if form.full_unique else ''}, scope {form.scope}, "
    made += f"{'packed, ' if form.packed else ''}{'nested, ' if form.nested else ''}existing {form.existing}"
    errors = ", ".join(f"{code} {count}" for code, count in sorted(played.errors_with.items())) or "none"
    first = (
        f"seed {played.seed}: {played.route}/{form.decision} ({made}): {played.transactions} transactions, "
        f"{played.kills.copiers}+{played.kills.others} kills, {played.live_verifications} verifications, "
        f"{played.drains} drains, {played.undecided} undecided keys, errors {errors} "
        f"(without us {dict(sorted(played.errors_without.items()))}), {played.seconds:.0f} s "
        f"(phases {', '.join(f'{name}: {seconds:.0f} s' for name, seconds in played.took.items())})"
    )
    return "\n".join([first, *(f"  VIOLATION {one}" for one in played.violations[:10])])


def write(counts: dict[str, Any], path: Path = RESULTS) -> None:
    """Keep the counts."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
