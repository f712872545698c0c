"""How runs read in a terminal, and as JSON."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from migration_runs.engine.outcome import RollbackPreview
from migration_runs.selectors.phase_views import PhaseView
from migration_runs.selectors.run_views import RunRow, RunView
from migration_runs.selectors.trail_views import LogLineView
from migration_runs.services.adjusting import Setting

WIDTH = 110


def run_text(view: RunView) -> str:
    """A run for people: what is next first, then the nine phases, then what is wrong."""
    lines = [
        f"{view.name}: {view.state.replace('_', ' ')}   target {view.target}   plan {view.digest[:12]}",
        f"next: {view.next.headline}",
        f"      {view.next.text}" if view.next.text else "",
    ]
    table = Table(box=None, pad_edge=False)
    for heading in ("#", "phase", "state", "steps", "owner", "signed"):
        table.add_column(heading)
    for phase in view.phases:
        table.add_row(
            str(phase.number),
            phase.key,
            phase.state.replace("_", " "),
            f"{phase.steps_done}/{len(phase.steps)}",
            f"{phase.owner} ({phase.owner_role})",
            ", ".join(phase.signed_by),
        )
    lines.append(_drawn(table))
    lines += _details(view.current)
    lines += [_setting(setting) for setting in view.settings]
    return "\n".join(line for line in lines if line)


def _setting(setting: Setting) -> str:
    text = f"{setting.name} = {setting.value:g} {setting.unit}".rstrip()
    text += f" (signed {setting.signed:g}, adjustable {setting.lowest:g} to {setting.highest:g})"
    return f"{text} by {setting.changed_by}: {setting.comment}" if setting.changed_by else text


def _details(phase: PhaseView) -> list[str]:
    lines = []
    if phase.waiting:
        lines.append(f"waiting: {phase.waiting}")
    if phase.worker_lost:
        lines.append(phase.worker_lost.lower())
    if phase.fleet:
        lines.append(f"{phase.fleet} Nothing goes on until workers and beat run.")
    lines += [
        f"{step.place} {step.title}: {step.done or 0:,} of {step.total:,} {step.unit} "
        f"{'(as last told) ' if step.stalled else ''}{step.slow_because}".rstrip()
        for step in phase.steps
        if step.total and step.state in {"running", "undoing"}
    ]
    lines += [
        f"asks {step.confirm_role}: {step.confirm_text} (run tick ID {step.key} --evidence TEXT)"
        for step in phase.steps
        if step.state == "waiting" and step.confirm_text and not step.confirmed_by
    ]
    for label, text in (("error", phase.error), ("kept", phase.kept), ("do next", phase.next_step)):
        if text:
            lines.append(f"{label}: {text}")
    return lines


def run_json(view: RunView) -> dict[str, Any]:
    """A run for programs, without SQL texts and log lines: ``runbook show`` and ``run logs`` have them."""
    body = asdict(view)
    for phase in (*body["phases"], body["current"]):
        for step in phase["steps"]:
            del step["sql"]
    del body["log"]
    return body


def rows_text(rows: Iterable[RunRow]) -> str:
    """Runs as a table."""
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "run", "state", "phase", "target", "author", "progress"):
        table.add_column(heading)
    count = 0
    for row in rows:
        count += 1
        phase = (
            f"{row.phase_number} {row.phase_title} ({row.phase_state.replace('_', ' ')})"
            if row.phase_number
            else ""
        )
        progress = f"{row.phases_done}/9" + (
            f", {row.done:,} of {row.total:,} {row.unit}" if row.total else ""
        )
        table.add_row(
            str(row.id), row.name, row.state.replace("_", " "), phase, row.target, row.author, progress
        )
    return _drawn(table) if count else "no runs yet"


def rows_json(rows: Iterable[RunRow]) -> dict[str, Any]:
    """Runs for programs."""
    return {"runs": [asdict(row) for row in rows]}


def log_text(lines: Iterable[LogLineView]) -> str:
    """A log, one line each."""
    return "\n".join(
        f"{line.at:%Y-%m-%d %H:%M:%S.%f} {line.level:5} {line.place or '-':2} {line.text}" for line in lines
    )


def log_json(lines: Iterable[LogLineView]) -> dict[str, Any]:
    """A log for programs."""
    return {"lines": [asdict(line) for line in lines]}


def preview_json(preview: RollbackPreview) -> dict[str, Any]:
    """What a rollback would do now, for programs."""
    return asdict(preview)


def preview_text(preview: RollbackPreview) -> str:
    """What a rollback would do now."""
    table = Table(box=None, pad_edge=False)
    for heading in ("phase", "step", "is undone by", "rows", "seconds"):
        table.add_column(heading)
    for item in preview.items:
        table.add_row(str(item.phase), item.title, item.action, f"{item.rows:,}", f"{item.seconds:.1f}")
    lines = [
        _drawn(table),
        f"{preview.rows:,} rows, about {preview.seconds:.0f} s, data decision {preview.data_decision}",
    ]
    lines += [f"keeps: {line}" for line in preview.keeps]
    lines += [f"asks: {line}" for line in preview.asks]
    lines += [f"in the way: {line}" for line in preview.obstacles]
    return "\n".join(lines)


def _drawn(table: Table) -> str:
    text = io.StringIO()
    Console(file=text, width=WIDTH, highlight=False, no_color=True).print(table)
    return text.getvalue().rstrip()
