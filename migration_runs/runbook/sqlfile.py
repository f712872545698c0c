"""A SQL file of a runbook: its header comment, and the timeouts that the header names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from migration_runs.exceptions import Finding
from migration_runs.runbook.base import SqlFile, SqlHeader

HEADER_KEYS = ("what", "why", "locks", "timeout", "undo")
_LABEL = re.compile(r"^-- (?P<key>[a-z]+):\s*(?P<value>.*)$")
_CONTINUATION = re.compile(r"^-- {3,}(?P<value>\S.*)$")
_TIMEOUT = re.compile(
    r"^(?:lock (?P<lock>\d+) (?P<lock_unit>ms|s), )?statement (?P<statement>\d+) (?P<unit>ms|s|min)$"
)
_MILLISECONDS = {"ms": 1, "s": 1_000, "min": 60_000}


@dataclass(frozen=True)
class Timeouts:
    """The timeouts of a header's ``timeout`` line, in milliseconds. ``lock_ms`` is None where it names no
    lock.
    """

    lock_ms: int | None
    statement_ms: int


def read(folder: Path, name: str) -> tuple[SqlFile | None, tuple[Finding, ...]]:
    """The file ``name`` of the runbook in ``folder``, and what is wrong with its name, encoding or header.

    The file is None when there is a finding. A name that leaves the folder (``..``, a link) is a finding.
    """
    path = folder / name
    if not name.endswith(".sql"):
        return None, (Finding(name, 1, "a SQL file's name must end with .sql"),)
    if not path.resolve().is_relative_to(folder.resolve()):
        return None, (Finding(name, 1, "the file lies outside the runbook's folder"),)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, (Finding(name, 1, "there is no such file"),)
    except (OSError, UnicodeDecodeError) as error:
        return None, (Finding(name, 1, f"the file cannot be read as UTF-8 text: {error}"),)
    return parse(name, text)


def parse(name: str, text: str) -> tuple[SqlFile | None, tuple[Finding, ...]]:
    """``text`` as a SQL file called ``name``, or the findings that its header gives."""
    if "\x00" in text:
        return None, (
            Finding(name, text[: text.index("\x00")].count("\n") + 1, "the file holds a NUL character"),
        )
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    findings: list[Finding] = []
    last = ""
    for number, line in enumerate(text.splitlines(), start=1):
        label, more = _LABEL.match(line), _CONTINUATION.match(line)
        if label and label["key"] in values:
            findings.append(Finding(name, number, f"the header says '{label['key']}' twice"))
        elif label and label["key"] not in HEADER_KEYS:
            findings.append(
                Finding(
                    name,
                    number,
                    f"the header has an unknown line '{label['key']}' (known: {', '.join(HEADER_KEYS)})",
                )
            )
        elif label:
            last = label["key"]
            values[last], lines[last] = label["value"].strip(), number
        elif more and last:
            values[last] = f"{values[last]} {more['value'].strip()}".strip()
        else:
            break
    findings += [
        Finding(name, lines.get(key, 1), f"the header lacks '-- {key}: ...'")
        for key in HEADER_KEYS
        if not values.get(key)
    ]
    if findings:
        return None, tuple(findings)
    wrong = _timeout_finding(name, lines["timeout"], values["timeout"])
    if wrong:
        return None, (wrong,)
    return SqlFile(path=name, header=SqlHeader(**values), text=text), ()


def timeouts(header: SqlHeader) -> Timeouts:
    """What the header's ``timeout`` line says. Raises ValueError where it is not of the required form."""
    match = _TIMEOUT.match(header.timeout)
    if match is None:
        raise ValueError(f"not a timeout: {header.timeout!r}")
    lock = int(match["lock"]) * _MILLISECONDS[match["lock_unit"]] if match["lock"] else None
    return Timeouts(lock_ms=lock, statement_ms=int(match["statement"]) * _MILLISECONDS[match["unit"]])


def _timeout_finding(name: str, line: int, value: str) -> Finding | None:
    match = _TIMEOUT.match(value)
    if match is None:
        return Finding(
            name, line, f"timeout must read 'lock 200 ms, statement 5 s' or 'statement 5 s', not '{value}'"
        )
    statement = int(match["statement"]) * _MILLISECONDS[match["unit"]]
    if statement == 0:
        return Finding(name, line, "a statement timeout of 0 means none: name one")
    if match["lock"] is not None:
        lock = int(match["lock"]) * _MILLISECONDS[match["lock_unit"]]
        if not 0 < lock < statement:
            return Finding(
                name, line, "the lock timeout must be above 0 and shorter than the statement timeout"
            )
    return None


def without_header(text: str) -> str:
    """The statements alone: what a person copies."""
    lines = text.splitlines()
    first = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "\n".join(lines[first:]).strip()
