"""What the documents promise: links lead somewhere, commands exist, words are explained."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandParser, get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.processes import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = (
    "manage.py ",
    ".venv/bin/python manage.py ",
    "python manage.py ",
    "/opt/phasegate/bin/python manage.py ",
)
WORDS = (
    "run", "runbook", "plan", "phase", "step", "attempt", "chunk", "sign-off", "gate", "pause", "hold",
    "data decision", "dual-write", "before-image", "evidence", "check", "window", "verification", "rehearsal",
    "ledger", "lease", "token", "sweeper", "move", "scope", "role", "rollback", "seal", "digest",
)  # fmt: skip
PRIVATE = (
    "pypi.org", "pythonhosted", "npmjs", "crates.io", "/work/", "/home/", "/root/",
)  # fmt: skip


def _name(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def _anchors(page: Path) -> set[str]:
    """Addresses of a page's headings, as the usual renderers make them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_inside_the_checkout_leads_somewhere(page: Path) -> None:
    dead = []
    for pair in LINK.findall(_without_code(page.read_text(encoding="utf-8"))):
        link = pair[0] or pair[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (anchor and anchor not in _anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_page_names_what_is_private(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [word for word in PRIVATE if word in text] == []


# -- commands


def _lines() -> Iterator[tuple[str, str]]:
    """Every command line of a fenced block, with the page that holds it."""
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language not in {"sh", "console"}:
                continue
            for line in block.splitlines():
                command = line.removeprefix("$ ").strip()
                # The tutorial says `pg` for the program; a variable may be set before it.
                command = re.sub(r"^(?:[A-Z_]+=\S+ )*", "", command)
                command = re.sub(r"^pg ", "manage.py ", command)
                if command:
                    yield _name(page), command


MANAGED = [(page, line) for page, line in _lines() if line.startswith(PROGRAMS)]
MADE = [(page, line) for page, line in _lines() if line.startswith("make")]


def _parser(command: str) -> CommandParser:
    app = get_commands()[command]
    loaded = app if isinstance(app, BaseCommand) else load_command_class(app, command)
    return loaded.create_parser("manage.py", command)


def _verbs(command: str) -> set[str]:
    for action in _parser(command)._actions:
        if isinstance(action, argparse._SubParsersAction):
            return set(action.choices)
    return set()


def test_commands_were_found_in_the_documents() -> None:
    assert len(MANAGED) > 50
    assert MADE


@pytest.mark.parametrize(("page", "line"), MANAGED)
def test_a_command_in_the_documents_parses(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[words.index("manage.py") + 1 :]
    words = words[: next((i for i, word in enumerate(words) if word in {">>", "|", ">"}), len(words))]
    assert words[0] in get_commands()
    _parser(words[0]).parse_args(words[1:])  # raises CommandError for what it does not know


@pytest.mark.parametrize(("page", "line"), MADE)
def test_a_make_target_in_the_documents_exists(page: str, line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    words = shlex.split(line, comments=True)
    assert {word for word in words[1:] if "=" not in word} <= targets


def _section(page: Path, heading: str) -> str:
    text = page.read_text(encoding="utf-8")
    assert f"\n## {heading}\n" in text
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("command", ["run", "runbook", "audit", "demo"])
def test_the_reference_lists_exactly_the_verbs_of_a_command(command: str) -> None:
    section = _section(DOCS / "reference" / "cli.md", f"`manage.py {command}`")
    table = section.partition("| verb | does |\n|---|---|\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == _verbs(command)


@pytest.mark.parametrize("command", ["run", "demo"])
def test_the_reference_names_every_option_of_a_command(command: str) -> None:
    section = _section(DOCS / "reference" / "cli.md", f"`manage.py {command}`")
    missing = set()
    for action in _parser(command)._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                missing |= {o for a in verb._actions for o in a.option_strings if o.startswith("--")}
    assert {option for option in missing - {"--help"} if option not in section} == set()


# -- words and decisions


def test_the_glossary_explains_the_words_of_the_panel_in_order() -> None:
    text = (DOCS / "reference" / "glossary.md").read_text(encoding="utf-8")
    explained = [
        word.lower() for line in text.splitlines() for word in re.findall(r"^\| \*\*([^*]+)\*\*", line)
    ]
    assert [word for word in WORDS if word not in explained] == []
    assert explained == sorted(explained)


DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=_name)
def test_a_decision_has_a_date_a_state_and_its_reasons(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(rf"# {int(page.name[:4])}\. .+\n\nDate: \d{{4}}-\d\d-\d\d\. Status: \w+", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_every_decision_is_listed() -> None:
    listed = re.findall(
        r"\]\((\d{4}-[^)]+)\)", (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    )
    assert listed == [page.name for page in DECISIONS]
