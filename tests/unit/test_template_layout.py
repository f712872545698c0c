"""Templates are read by people as well: short lines, spaces alone, nothing left over at the ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import CHECKOUT

TEMPLATES = CHECKOUT / "templates"
PAGES = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())
LONGEST = 120  # characters; 110 is the aim, the rest is for a tag that cannot be broken


def faults(text: str) -> list[str]:
    """What is wrong with the layout of a template, each with the number of its line."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST:
            found.append(f"line {number}: {len(line)} characters, at most {LONGEST}")
        if "\t" in line:
            found.append(f"line {number}: a tab")
        if line != line.rstrip():
            found.append(f"line {number}: white space at the end")
    if not text.endswith("\n") or text.endswith("\n\n"):
        found.append(f"line {text.count(chr(10)) + 1}: the file does not end with one newline")
    return found


def test_there_are_templates() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TEMPLATES)))
def test_a_template_is_laid_out_to_be_read(page: Path) -> None:
    assert faults(page.read_bytes().decode("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>\n" + "x" * LONGEST + "\n</p>\n", []),
        ("<p>\n" + "x" * (LONGEST + 1) + "\n</p>\n", ["line 2: 121 characters, at most 120"]),
        ("<p>\n\t</p>\n", ["line 2: a tab"]),
        ("<p> \n</p>\r\n", ["line 1: white space at the end", "line 2: white space at the end"]),
        ("<p></p>", ["line 1: the file does not end with one newline"]),
        ("<p></p>\n\n", ["line 3: the file does not end with one newline"]),
    ],
)
def test_each_fault_is_found_with_its_line(text: str, expected: list[str]) -> None:
    assert faults(text) == expected
