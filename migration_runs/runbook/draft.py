"""From the text of a ``runbook.toml`` to the shape of the models: files read in, short forms spelled out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migration_runs.exceptions import Finding
from migration_runs.phases import BY_KEY, PHASES
from migration_runs.runbook import sqlfile, toml_lines
from migration_runs.runbook.base import SqlHeader

FILE_NAME = "runbook.toml"
NO_UNDO = "none:"
_STEP_FILES = ("sql", "repair", "repair_check", "undo")
_CHECK_FILES = ("sql", "closed_sql")
_TOML_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


@dataclass(frozen=True)
class Draft:
    """A runbook that was read but not yet validated: ``data`` has the models' shape."""

    folder: Path
    data: dict[str, Any]
    lines: toml_lines.Lines
    findings: tuple[Finding, ...]


def read(folder: Path) -> Draft:
    """Read ``folder/runbook.toml`` and the SQL files that it names. Faults are in the draft's findings."""
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _unreadable(folder, 1, f"{folder} holds no {FILE_NAME}")
    except (OSError, UnicodeDecodeError) as error:
        return _unreadable(folder, 1, f"the file cannot be read as UTF-8 text: {error}")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        return _unreadable(folder, line, f"not TOML: {error}")
    reader = _Reader(folder, data, toml_lines.index(text))
    reader.read()
    return Draft(folder, data, reader.lines, tuple(reader.findings))


def _unreadable(folder: Path, line: int, message: str) -> Draft:
    return Draft(folder, {}, toml_lines.Lines(), (Finding(FILE_NAME, line, message),))


def _stand_in(name: str) -> dict[str, Any]:
    """In place of a file that cannot be read: the fault is told once, and not as a missing key too."""
    header = dict.fromkeys(sqlfile.HEADER_KEYS, "unknown") | {"timeout": "statement 1 s"}
    return {"path": name, "header": header, "text": ""}


class _Reader:
    """Walks the parsed TOML once and turns paths into files; keeps what it finds wrong."""

    def __init__(self, folder: Path, data: dict[str, Any], lines: toml_lines.Lines) -> None:
        self.folder, self.data, self.lines = folder, data, lines
        self.findings: list[Finding] = []

    def read(self) -> None:
        self._files(self.data, (), ("clock",))
        self._nulls()
        move = self.data.get("move")
        copying = move.get("copying") if isinstance(move, dict) else None
        if isinstance(copying, dict):
            self._files(copying, ("move", "copying"), ("load_sql",))
        for number, check in self._tables("checks"):
            self._files(check, ("checks", number), _CHECK_FILES)
        for number, rule in self._tables("rules"):
            self._files(rule, ("rules", number), ("sql",))
        for number, query in self._tables("queries"):
            self._files(query, ("queries", number), ("sql",))
        for number, phase in self._tables("phases"):
            self._phase(phase, number)
        self._phase_order()

    def _nulls(self) -> None:
        """TOML has no null: a column that is always NULL is written ``{ null = true }``."""
        move = self.data.get("move")
        columns = move.get("columns") if isinstance(move, dict) else None
        if isinstance(columns, dict):
            nulls = [name for name, value in columns.items() if value == {"null": True}]
            columns.update({name: {"const": None} for name in nulls})

    def _tables(self, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
        value = self.data.get(key, [])
        if isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    yield number, item

    def _phase(self, phase: dict[str, Any], number: int) -> None:
        fixed = BY_KEY.get(str(phase.get("key")))
        if fixed is not None:
            phase.setdefault("owner", fixed.owner.value)
            phase.setdefault("minutes", fixed.planned.total_seconds() / 60)
        steps = phase.get("steps", [])
        for position, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, dict):
                self._step(step, ("phases", number, "steps", position))

    def _step(self, step: dict[str, Any], place: toml_lines.Path) -> None:
        undo = step.get("undo")
        if isinstance(undo, str) and undo.startswith(NO_UNDO):
            del step["undo"]
            step["undo_none"] = undo.removeprefix(NO_UNDO).strip()
            if not step["undo_none"]:
                self._find((*place, "undo"), 'undo = "none: ..." must say why nothing needs undoing')
        self._files(step, place, _STEP_FILES)
        main = step.get("sql")
        if isinstance(main, dict) and main["text"]:
            self._timeouts(step, place, main)

    def _timeouts(self, step: dict[str, Any], place: toml_lines.Path, file: dict[str, Any]) -> None:
        """The file's header names the timeouts; the step may repeat them but not differ."""
        named = sqlfile.timeouts(SqlHeader(**file["header"]))
        for key, value in (
            ("lock_timeout_ms", named.lock_ms),
            ("statement_timeout_s", named.statement_ms / 1000),
        ):
            if value is not None and step.setdefault(key, value) != value:
                self._find(
                    (*place, key), f"{key} is {step[key]} here and {value:g} in the header of {file['path']}"
                )

    def _files(self, table: dict[str, Any], place: toml_lines.Path, keys: tuple[str, ...]) -> None:
        for key in keys:
            if key not in table:
                continue
            name = table[key]
            if not isinstance(name, str):
                self._find((*place, key), f"{key} must be the path of a file in the runbook's folder")
                table[key] = _stand_in("unknown.sql")
                continue
            file, findings = sqlfile.read(self.folder, name)
            if file is not None:
                table[key] = file.model_dump()
                continue
            if any(finding.message == "there is no such file" for finding in findings):
                self._find((*place, key), f"{key} names {name}, which does not exist")
            else:
                self.findings.extend(findings)
            table[key] = _stand_in(name)

    def _phase_order(self) -> None:
        if not isinstance(self.data.get("phases"), list):
            self._find(("phases",), "the runbook has no [[phases]]; all nine are needed")
            return
        keys = [(number, str(phase.get("key"))) for number, phase in self._tables("phases")]
        present = [key for _, key in keys]
        self.findings.extend(
            Finding(FILE_NAME, self.lines.find(("phases",)), f"phase {phase.number} '{phase.key}' is missing")
            for phase in PHASES
            if phase.key not in present
        )
        for number, key in keys:
            if key not in BY_KEY:
                self._find(("phases", number, "key"), f"there is no phase '{key}'")
            elif present.index(key) != number:
                self._find(("phases", number, "key"), f"phase '{key}' is given twice")
        known = [BY_KEY[key].number for key in present if key in BY_KEY]
        if known != sorted(known):
            first = next(at for at in range(1, len(known)) if known[at] < known[at - 1])
            self._find(("phases", first, "key"), "the phases stand in the wrong order; theirs is fixed")

    def _find(self, place: toml_lines.Path, message: str) -> None:
        self.findings.append(Finding(FILE_NAME, self.lines.find(place), message))
