"""Everything that `runbook check` refuses beyond shape."""

from __future__ import annotations

from migration_runs.exceptions import Finding
from migration_runs.runbook import toml_lines
from migration_runs.runbook.plan import Runbook


def lint(runbook: Runbook, lines: toml_lines.Lines) -> list[Finding]:
    """All findings of the plan-level rules and of every SQL file, errors and warnings."""
    return []
