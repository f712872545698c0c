from __future__ import annotations

import re
from pathlib import Path

import pytest

from bars import sql_files

FILES = sorted(path for path in sql_files.ROOT.rglob("*.sql"))
CHANGES = re.compile(r"^\s*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|GRANT|REVOKE)\b", re.MULTILINE)


def _statement(path: Path) -> str:
    return re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(sql_files.ROOT)))
def test_every_statement_opens_with_what_and_why(path: Path) -> None:
    header = path.read_text(encoding="utf-8")
    assert header.startswith("-- what:  ")
    assert "\n-- why:   " in header


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(sql_files.ROOT)))
def test_every_statement_that_changes_something_says_how_it_is_undone(path: Path) -> None:
    if CHANGES.search(_statement(path)):
        assert "\n-- undo:  " in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(sql_files.ROOT)))
def test_lines_fit_a_review(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 130] == []


def test_the_legacy_world_installs_in_the_order_of_its_numbers() -> None:
    names = sql_files.legacy_names()
    assert [name.split("/")[1][:2] for name in names] == [
        f"{number:02}" for number in range(1, len(names) + 1)
    ]
