"""``manage.py runbook``: exit codes 0, 1 and 2, findings on stderr with file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from migration_runs.exceptions import Refused
from migration_runs.runbook import registry
from tests.unit.runbook_folder import ORDERS, Folder, copy_orders

BARS = Path(__file__).parents[2] / "bars" / "runbooks" / "dxy_1m"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return copy_orders(tmp_path)


def exit_code(*arguments: str) -> int:
    try:
        call_command("runbook", *arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_check_of_valid_runbooks_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("check", str(BARS), str(ORDERS)) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "valid" in said.out


def test_check_of_one_wrong_runbook_among_others_ends_with_one(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.change("hours = 24", "hours = 2")
    assert exit_code("check", str(BARS), str(folder.path)) == 1
    said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)
    assert f"{folder.path}/runbook.toml:{folder.line_of('hours = 2')}: error: rule 5" in said


def test_check_of_a_folder_that_is_not_there_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("check", str(tmp_path / "nothing")) == 1
    assert "runbook.toml" in capsys.readouterr().err


def test_no_verb_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="are required"):
        call_command("runbook")


def test_list_shows_the_shipped_runbook_with_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("list") == 0
    said = capsys.readouterr().out
    assert "dxy_1m" in said
    assert "valid" in said


def test_show_prints_every_phase_and_with_sql_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("show", "dxy_1m", "--sql") == 0
    said = capsys.readouterr().out
    for phase in ("1 preflight", "5 code switch", "9 cleanup"):
        assert phase in said
    assert "CREATE OR REPLACE FUNCTION public.calc_dxy_range_1m" in re.sub(r"\x1b\[[0-9;]*m", "", said)


def test_show_of_an_unknown_runbook_ends_with_one_and_names_the_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code("show", "nothing") == 1
    assert "dxy_1m" in capsys.readouterr().err


def test_folders_of_the_user_are_found(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.RUNBOOK_DIRS", [folder.path.parent], raising=False)
    assert registry.find("orders") == folder.path
    assert [entry.slug for entry in registry.available()] == ["dxy_1m", "orders"]


def test_two_runbooks_of_one_name_are_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "django.conf.settings.RUNBOOK_DIRS", [folder.path.parent, ORDERS.parent], raising=False
    )
    with pytest.raises(Refused, match="two runbooks are called orders"):
        registry.available()


def test_unknown_slug_is_refused() -> None:
    with pytest.raises(Refused, match="there is no runbook 'nothing'"):
        registry.find("nothing")
