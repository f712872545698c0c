"""Lint SQL with squawk: its parser finds syntax errors, its rules find what would lock a live table."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from migration_runs.exceptions import Finding
from migration_runs.runbook import placeholders

CONFIG = Path(__file__).with_name("squawk.toml")
TIMEOUT_S = 60.0

# Warnings of squawk that a live table cannot afford: what they name blocks writers for as long as a scan
# takes, or
# breaks the programs that are running.
REFUSED = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-required-field",
        "adding-serial-primary-key-field",
        "ban-truncate-cascade",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "renaming-column",
        "renaming-table",
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
        "require-concurrent-reindex",
    }
)


def lint(files: Mapping[str, str]) -> list[Finding]:
    """squawk's findings in ``files`` (path to text). Its errors refuse a runbook, its warnings are shown.

    A squawk that is missing or does not answer is a finding too: unlinted SQL is not linted SQL.
    """
    binary = _binary()
    if binary is None:
        return [Finding("squawk", 1, "the squawk binary is not installed (package squawk-cli)")]
    with tempfile.TemporaryDirectory(prefix="phasegate-lint-") as folder:
        names = {}
        for number, (path, text) in enumerate(sorted(files.items())):
            copy = Path(folder, f"{number:04d}.sql")
            copy.write_text(placeholders.as_sql(text), encoding="utf-8")
            names[copy.name] = path
        command = [binary, "--reporter", "json", "--config", str(CONFIG), *sorted(names)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
            found = json.loads(done.stdout or "[]")
        except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            return [Finding("squawk", 1, f"squawk did not answer: {error}")]
        if done.returncode and not found:
            return [Finding("squawk", 1, f"squawk failed: {done.stderr.strip() or done.returncode}")]
    return [_finding(names[Path(one["file"]).name], one) for one in found]


def _finding(path: str, one: Mapping[str, object]) -> Finding:
    rule, message = str(one["rule_name"]), str(one["message"])
    text = f"SQL syntax: {message}" if rule == "syntax-error" else f"{message} [squawk {rule}]"
    refused = one["level"] == "Error" or rule in REFUSED
    return Finding(path, int(str(one["line"])) + 1, text, "error" if refused else "warning")


def _binary() -> str | None:
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.is_file() else shutil.which("squawk")
