"""Everything that `runbook check` refuses beyond shape: in the plan as a whole, and in its SQL files."""

from __future__ import annotations

from migration_runs.exceptions import Finding
from migration_runs.runbook import consistency, lint_sql, rules, squawk, toml_lines, uses
from migration_runs.runbook.draft import FILE_NAME
from migration_runs.runbook.lint_sql import Looked
from migration_runs.runbook.plan import Runbook


def lint(runbook: Runbook, lines: toml_lines.Lines) -> list[Finding]:
    """All findings of a runbook whose shape is right: errors, which refuse it, and warnings."""
    findings: list[Finding] = []
    looked: list[Looked] = []
    for use in uses.of(runbook):
        if not use.file.text:
            continue  # a stand-in for a file that could not be read, which has its finding already
        one = lint_sql.look(use)
        if isinstance(one, Finding):
            findings.append(one)
        else:
            looked.append(one)
    own_indexes = frozenset(
        reference.name
        for one in looked
        for reference in one.references
        if reference.kind == "index" and reference.verb == "define"
    )
    for one in looked:
        findings += lint_sql.lint(one, runbook, own_indexes=own_indexes)
    findings += squawk.lint({use.file.path: use.file.text for use in uses.of(runbook)})
    for place, message in (*consistency.check(runbook), *rules.check(runbook, looked)):
        findings.append(Finding(FILE_NAME, lines.find(place), message))
    return findings
