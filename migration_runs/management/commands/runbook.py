"""``manage.py runbook list | check PATH ... | show SLUG [--sql]``: look at runbooks without a run.

Exit codes: 0 done, 1 refused (reasons on stderr, each with file and line), 2 usage.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from migration_runs.exceptions import Finding, Refused, RunbookInvalid
from migration_runs.runbook import loader, registry, uses
from migration_runs.runbook.plan import PhasePlan, Runbook
from migration_runs.runbook.steps import StepBase

REFUSED = 1


class Command(BaseCommand):
    """Lists, checks and shows runbooks. Needs no database."""

    help = "List, check and show runbooks."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Three verbs; none is a usage error (exit code 2)."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|check|show")
        verbs.add_parser("list", help="every runbook that is installed, and whether it is valid")
        check = verbs.add_parser("check", help="validate folders; nothing is changed")
        check.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a runbook's folder")
        show = verbs.add_parser("show", help="the phases and steps of a runbook")
        show.add_argument("slug", metavar="SLUG")
        show.add_argument("--sql", action="store_true", help="with the text of every SQL file")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the verb; leaves with code 1 where something is refused."""
        out = Console(file=sys.stdout, soft_wrap=False, highlight=False)
        err = Console(file=sys.stderr, soft_wrap=True, highlight=False)
        try:
            match options["verb"]:
                case "list":
                    done = _list(out)
                case "check":
                    results = [_check(path, out=out, err=err) for path in options["paths"]]
                    done = all(results)
                case _:
                    _show(loader.load(registry.find(options["slug"])), out=out, sql=options["sql"])
                    done = True
        except RunbookInvalid as error:
            _print(error.findings, err)
            done = False
        except Refused as error:
            err.print(Text(str(error)))
            done = False
        if not done:
            sys.exit(REFUSED)


def _list(out: Console) -> bool:
    table = Table("slug", "title", "from", "steps", "digest of meaning", "state")
    valid = True
    for entry in registry.available():
        checked = loader.check(entry.folder)
        runbook = checked.runbook
        if runbook is None or checked.errors:
            valid = False
            state = f"{len(checked.errors)} error(s): manage.py runbook check {entry.folder}"
            table.add_row(entry.slug, "", entry.origin, "", "", Text(state, style="red"))
            continue
        steps = str(sum(len(phase.steps) for phase in runbook.phases))
        digest = loader.digest(runbook)[:12]
        table.add_row(
            entry.slug, Text(runbook.title), entry.origin, steps, digest, Text("valid", style="green")
        )
    out.print(table)
    return valid


def _check(path: Path, *, out: Console, err: Console) -> bool:
    checked = loader.check(path)
    _print(checked.findings, err, folder=path)
    if checked.runbook is None or checked.errors:
        err.print(Text(f"{path}: refused, {len(checked.errors)} error(s)", style="red"))
        return False
    files = len({use.file.path for use in uses.of(checked.runbook)})
    steps = sum(len(phase.steps) for phase in checked.runbook.phases)
    warnings = len(checked.findings)
    out.print(Text(f"{path}: valid: {steps} steps, {files} SQL files, {warnings} warning(s)"))
    return True


def _print(findings: tuple[Finding, ...], err: Console, *, folder: Path | None = None) -> None:
    for finding in findings:
        place = finding.path if folder is None else str(folder / finding.path)
        style = "red" if finding.level == "error" else "yellow"
        err.print(
            Text.assemble(f"{place}:{finding.line}: ", (finding.level, style), f": {finding.message}"),
            soft_wrap=True,
        )


def _show(runbook: Runbook, *, out: Console, sql: bool) -> None:
    out.print(Text(f"{runbook.slug}: {runbook.title}", style="bold"))
    out.print(Text(runbook.summary.strip()))
    move = runbook.move
    scope = ", ".join(f"{column} = {value}" for column, value in move.scope.items()) or "every row"
    out.print(Text(f"move: {move.source} -> {move.target} ({scope}), by {', '.join(move.key)}"))
    for phase in runbook.phases:
        out.print(_phase_table(phase))
    if sql:
        shown: set[str] = set()
        for use in uses.of(runbook):
            if use.file.path not in shown:
                shown.add(use.file.path)
                out.rule(Text(use.file.path))
                out.print(Syntax(use.file.text.rstrip(), "sql", background_color="default", word_wrap=True))


def _phase_table(phase: PhasePlan) -> Table:
    signers = ", ".join(phase.sign_off)
    table = Table(
        "step", "kind", "what it does", "undo",
        title=Text(
            f"{phase.number} {phase.phase.title}: {phase.owner}, {phase.minutes:g} min, signed by {signers}"
        ),
        title_justify="left", expand=True,
    )  # fmt: skip
    for step in phase.steps:
        kind = str(getattr(step, "kind", ""))
        table.add_row(step.key, kind, Text(step.title), Text(_undo(step)))
    return table


def _undo(step: StepBase) -> str:
    if step.undo is not None:
        return step.undo.path
    if step.undo_none is not None:
        return f"none: {step.undo_none}"
    if getattr(step, "before_image", None) is not None:
        return "before-image"
    if getattr(step, "undo_text", None) is not None:
        return "confirmed by a person"
    if getattr(step, "kind", "") in ("dual_write", "copy", "verify", "soft_delete", "delete", "observe"):
        return "by the panel"
    return "changes nothing"
