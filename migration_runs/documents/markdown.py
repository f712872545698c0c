"""A document as Markdown (CommonMark with tables), for a wiki, a ticket or a mail.

Everything that comes from plans and people is escaped: a title with a bracket stays a title.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from migration_runs.documents.blocks import (
    Block,
    Cell,
    Code,
    Document,
    Facts,
    Items,
    Paragraph,
    Section,
    Table,
)

_MEANING = re.compile(r"([\\`*_{}\[\]<>#|~])")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)
BOX = "\N{BALLOT BOX}"

Words = Callable[[str], str]
"""The word for a state."""


def render(document: Document, *, word: Words) -> str:
    """The whole document. ``word`` says what a state is called."""
    parts = [f"# {escaped(document.title)}", escaped(document.about)]
    if document.facts:
        parts.append("\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in document.facts))
    for section in document.sections:
        parts += _section(section, word)
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is. Line breaks become blanks: a heading or a row has one line."""
    one_line = " ".join(text.split())
    return _LINE_START.sub(r"\1\\\2", _MEANING.sub(r"\\\1", one_line))


def _section(section: Section, word: Words) -> Iterator[str]:
    yield f"{'#' * section.level} {escaped(section.title)}"
    if section.note:
        yield escaped(section.note)
    for block in section.blocks:
        yield _block(block, word)


def _block(block: Block, word: Words) -> str:
    if isinstance(block, Paragraph):
        strong = f"**{escaped(block.strong)}** " if block.strong else ""
        return strong + escaped(block.text)
    if isinstance(block, Items):
        return _items(block)
    if isinstance(block, Facts):
        return "\n".join(f"- **{escaped(name)}**: {escaped(value)}" for name, value in block.pairs)
    if isinstance(block, Table):
        return _table(block, word)
    return _code(block)


def _items(block: Items) -> str:
    lines = []
    for number, (strong, text) in enumerate(block.items, 1):
        mark = f"{number}." if block.ordered else "-"
        lines.append(f"{mark} {f'**{escaped(strong)}** ' if strong else ''}{escaped(text)}".rstrip())
    return "\n".join(lines)


def _table(block: Table, word: Words) -> str:
    if not block.rows:
        return escaped(block.empty)
    rules = ["---:" if at in block.numbers else "---" for at in range(len(block.columns))]
    lines = [[escaped(name) or " " for name in block.columns], rules]
    lines += [[_cell(cell, word) for cell in row] for row in block.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell, word: Words) -> str:
    parts = [escaped(word(cell.state)) if cell.state and not cell.text else "", escaped(cell.text)]
    parts += [f"({escaped(cell.note)})" if cell.note else "", BOX * cell.boxes]
    return " ".join(part for part in parts if part) or " "


def _code(block: Code) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
    language = "sql" if block.language == "sql" else ""
    title = f"**{escaped(block.title)}**\n\n" if block.title else ""
    return f"{title}{fence}{language}\n{block.text.strip(chr(10))}\n{fence}"
