"""Turn a runbook folder into a validated ``Runbook``, or say with file and line why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from migration_runs.exceptions import Finding, RunbookInvalid
from migration_runs.runbook import draft, lint, toml_lines
from migration_runs.runbook.plan import Runbook, canonical_json


@dataclass(frozen=True)
class Checked:
    """What checking a folder gave: the runbook when its shape is right, and every finding."""

    runbook: Runbook | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that refuse the runbook; the others are warnings."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def load(folder: Path) -> Runbook:
    """The runbook in ``folder``. Raises RunbookInvalid with every error's file and line. Changes nothing."""
    checked = check(folder)
    if checked.runbook is None or checked.errors:
        raise RunbookInvalid(checked.errors)
    return checked.runbook


def check(folder: Path) -> Checked:
    """Everything that is wrong or doubtful in the runbook in ``folder``, in the order of files and lines."""
    read = draft.read(folder)
    if not read.data:
        return Checked(None, read.findings)
    runbook: Runbook | None = None
    findings = list(read.findings)
    try:
        runbook = Runbook.model_validate(read.data)
    except pydantic.ValidationError as error:
        findings += _translate(error, read, known_broken=bool(read.findings))
    if runbook is not None:
        if folder.name != runbook.slug:
            findings.append(
                _at(read, ("slug",), f"the slug '{runbook.slug}' must be the folder's name '{folder.name}'")
            )
        findings += lint.lint(runbook, read.lines)
    return Checked(runbook, tuple(sorted(set(findings), key=lambda one: (one.path, one.line, one.message))))


def digest(runbook: Runbook) -> str:
    """SHA-256 of the runbook's meaning, 64 hexadecimal digits; a plan's digest is another, with its
    parameters.
    """
    return hashlib.sha256(canonical_json(runbook.model_dump(mode="json")).encode()).hexdigest()


def _at(read: draft.Draft, place: toml_lines.Path, message: str) -> Finding:
    return Finding(draft.FILE_NAME, read.lines.find(place), message)


def _translate(error: pydantic.ValidationError, read: draft.Draft, *, known_broken: bool) -> list[Finding]:
    """Each pydantic error as a finding in the words of the file, with the union tags taken out of
    its place.
    """
    faults = error.errors(include_url=False, include_input=False)
    findings: dict[toml_lines.Path, Finding] = {}
    for fault in faults:
        inner = any(
            other["loc"][: len(fault["loc"])] == fault["loc"] for other in faults if other is not fault
        )
        if fault["type"] == "too_short" and (inner or (known_broken and fault["loc"] == ("phases",))):
            continue  # only because of something that is named by itself
        place, message = _place(fault["loc"], read.data), fault["msg"]
        if place[:2] == ("move", "columns") and len(place) > 2:
            # One value, three ways to write it: three complaints that say less than one.
            place, message = (
                place[:3],
                'a column is "source column", { const = ... } or { pack = [...], ... }',
            )
        findings.setdefault(place, _at(read, place, _words(fault["type"], place, message)))
    return list(findings.values())


def _words(kind: str, place: toml_lines.Path, message: str) -> str:
    name = ".".join(str(part) for part in place)
    if place[:2] == ("move", "columns") and len(place) > 2:
        return f"{name}: {message}"
    if kind == "extra_forbidden":
        return f"unknown key '{name}'"
    if kind == "missing":
        return f"'{name}' is missing"
    if kind == "union_tag_invalid":
        return f"{name}: unknown step kind; {message.partition(': ')[2] or message}"
    return f"{name}: {message}"


def _place(loc: tuple[str | int, ...], data: Any) -> toml_lines.Path:
    """``loc`` without the parts that name a member of a union rather than a key of the file.

    A part that is no key of the data stays only as the last one (a missing key); in between it names a
    union's
    member. A step's kind may equal one of its keys (``sql``), so the part behind a step's position is
    always dropped.
    """
    place: list[str | int] = []
    here = data
    for position, part in enumerate(loc):
        is_step_kind = len(place) == 4 and position == 4 and loc[0] == "phases" and loc[2] == "steps"
        if is_step_kind:
            continue
        inside = _step_into(here, part)
        if inside is not None:
            here = inside[0]
            place.append(part)
        elif position == len(loc) - 1 and isinstance(here, dict):
            place.append(part)
    return tuple(place)


def _step_into(here: Any, part: str | int) -> tuple[Any] | None:
    if isinstance(here, dict) and part in here:
        return (here[part],)
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return (here[part],)
    return None
