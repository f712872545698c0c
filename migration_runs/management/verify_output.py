"""How a report of the verification reads in a terminal, and as JSON."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table

from migration_runs.models import VerificationReport
from migration_runs.services import verification

WIDTH = 110
FIGURES = (
    "source_rows", "target_rows", "missing", "extra", "different", "pending", "overdue", "vanished",
)  # fmt: skip


def as_json(report: VerificationReport) -> dict[str, Any]:
    """A report for programs; docs/reference/cli.md says what is in it."""
    plain = (
        *FIGURES, "clean", "number", "started_at", "at", "seconds", "buckets", "digests", "pending_s",
        "lowest", "highest", "columns", "examples", "rules",
    )  # fmt: skip
    fault = "" if report.clean else verification.fault_of(report)
    return {
        "run": report.run_id,
        "kind": str(report.kind),
        "fault": fault,
        **{name: getattr(report, name) for name in plain},
    }


def as_text(report: VerificationReport) -> str:
    """A report for people: figures, rules, the first rows that differ."""
    what = "everything" if report.kind == VerificationReport.Kind.FULL else "what was touched"
    lines = [f"{what}: {'clean' if report.clean else 'NOT CLEAN'}, {report.seconds:.1f} s"]
    figures = Table(box=None, pad_edge=False)
    for name in FIGURES:
        figures.add_column(name.replace("_", " "), justify="right")
    figures.add_row(*(f"{getattr(report, name):,}" for name in FIGURES))
    lines.append(_drawn(figures))
    if report.pending:
        lines.append(f"keys wait to be drained since {report.pending_s:.0f} s")
    if report.rules:
        rules = Table(box=None, pad_edge=False)
        for heading in ("rule", "", "rows", "first"):
            rules.add_column(heading)
        for rule in report.rules:
            rules.add_row(rule["title"], _verdict(rule), f"{rule['offending']:,}", _first(rule))
        lines.append(_drawn(rules))
    if report.examples:
        rows = Table(box=None, pad_edge=False)
        for heading in ("differs", "key", "column", "old", "new"):
            rows.add_column(heading, overflow="fold")
        for example in report.examples:
            for number, (column, old, new) in enumerate(_columns(example)):
                key = ", ".join(example["key"].values())
                rows.add_row(*((example["kind"], key) if number == 0 else ("", "")), column, old, new)
        lines.append(_drawn(rows))
    return "\n".join(lines)


def _verdict(rule: dict[str, Any]) -> str:
    if rule["error"]:
        return "could not be asked"
    if not rule["offending"]:
        return "holds"
    return "broken" if rule["severity"] == "fail" else "warning"


def _first(rule: dict[str, Any]) -> str:
    if rule["error"]:
        return str(rule["error"])
    return ", ".join(rule["examples"][0].values()) if rule["examples"] else ""


def _columns(example: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Column, old, new; one line for a row that one side lacks."""
    source, target = example["source"], example["target"]
    if source is None or target is None:
        return [("(whole row)", "none" if source is None else "there", "none" if target is None else "there")]
    return [(name, _text(source[name]), _text(target[name])) for name in example["columns"]]


def _text(value: str | None) -> str:
    return "NULL" if value is None else value


def _drawn(table: Table) -> str:
    text = io.StringIO()
    Console(file=text, width=WIDTH, highlight=False, no_color=True).print(table)
    return text.getvalue().rstrip()
