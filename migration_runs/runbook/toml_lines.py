"""Where in a TOML file a value stands: tomllib keeps no line numbers, people need them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
_HEADER = re.compile(r"^\s*(?P<open>\[\[?)\s*(?P<name>[^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"^\s*(?P<key>(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PART = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'")


@dataclass(frozen=True)
class Lines:
    """Line numbers (from 1) of every table header and key of a TOML file."""

    of: dict[Path, int] = field(default_factory=dict)

    def find(self, path: Path) -> int:
        """The line of ``path``, or of the nearest thing around it; 1 for the file itself."""
        for length in range(len(path), 0, -1):
            line = self.of.get(path[:length])
            if line is not None:
                return line
        return 1


def index(text: str) -> Lines:
    """The lines of a TOML text that tomllib accepts. Values inside inline tables count as their
    key's line.
    """
    of: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in _logical_lines(text):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _resolve(_parts(header["name"]), counts, is_array=header["open"] == "[[")
            of.setdefault(table, number)
        elif key:
            here = table
            for part in _parts(key["key"]):
                here = (*here, part)
                of.setdefault(here, number)
    return Lines(of)


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _resolve(parts: tuple[str, ...], counts: dict[Path, int], *, is_array: bool) -> Path:
    """The header's path with the position of the newest element behind each array on the way."""
    here: Path = ()
    for position, part in enumerate(parts):
        here = (*here, part)
        if position == len(parts) - 1 and is_array:
            counts[here] = counts.get(here, -1) + 1
        if here in counts:
            here = (*here, counts[here])
    return here


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Every line that begins a statement: none inside a multi-line string or an open bracket."""
    depth, closing = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if depth == 0 and not closing:
            yield number, line
            if _HEADER.match(line):
                continue
        depth, closing = _scan(line, depth, closing)


def _scan(line: str, depth: int, closing: str) -> tuple[int, str]:
    """Bracket depth and pending multi-line quote after ``line``."""
    at = 0
    while at < len(line):
        if closing:
            end = line.find(closing, at)
            if end < 0:
                return depth, closing if len(closing) == 3 else ""
            if closing[0] == '"' and line[end - 1 : end] == "\\" and end > at:
                at = end + 1
                continue
            at, closing = end + len(closing), ""
        elif line[at] == "#":
            break
        elif line.startswith(('"""', "'''"), at):
            closing, at = line[at : at + 3], at + 3
        elif line[at] in "\"'":
            closing, at = line[at], at + 1
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(line[at], 0)
            at += 1
    return depth, closing if len(closing) == 3 else ""
