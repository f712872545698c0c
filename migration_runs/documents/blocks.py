"""What documents are made of: sections of paragraphs, lists, facts, tables and code. Plain text
throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Cell:
    """A cell of a table: text, and under it a quieter second line. ``state`` adds that state's icon and word;
    ``boxes`` are so many empty boxes to tick by hand.
    """

    text: str = ""
    note: str = ""
    state: str = ""
    number: bool = False
    digest: bool = False
    boxes: int = 0


@dataclass(frozen=True)
class Paragraph:
    """Running text. ``strong`` stands in front of it."""

    text: str
    strong: str = ""
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class Items:
    """A list; ``ordered`` ones are numbered. Each item has a strong beginning (or none) and text."""

    items: tuple[tuple[str, str], ...]
    ordered: bool = False
    kind: Literal["items"] = "items"


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    pairs: tuple[tuple[str, str], ...]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True)
class Table:
    """A table with a head. The first cell of a row names the row. ``numbers`` are columns set to the
    right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset()
    empty: str = ""
    kind: Literal["table"] = "table"

    @property
    def heads(self) -> tuple[tuple[str, bool], ...]:
        """Each column's name, and whether its cells are set to the right."""
        return tuple((name, at in self.numbers) for at, name in enumerate(self.columns))

    @property
    def labelled(self) -> tuple[tuple[tuple[str, bool, Cell], ...], ...]:
        """Each cell with its column's name, and whether it is a number."""
        return tuple(
            tuple((self.columns[at], at in self.numbers, cell) for at, cell in enumerate(row))
            for row in self.rows
        )


@dataclass(frozen=True)
class Code:
    """Text of a file or query as it is, with its title. ``language`` sql is marked up."""

    title: str
    text: str
    language: Literal["sql", "text"] = "sql"
    kind: Literal["code"] = "code"


Block = Paragraph | Items | Facts | Table | Code


@dataclass(frozen=True)
class Section:
    """A part of a document under a heading. ``wide`` takes the card's whole width; ``level`` 3 is inside the
    section before it.
    """

    title: str
    blocks: tuple[Block, ...]
    key: str = ""
    note: str = ""
    wide: bool = False
    level: Literal[2, 3] = 2


@dataclass(frozen=True)
class Document:
    """A whole document. ``key`` is its name in addresses."""

    key: str
    title: str
    about: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = field(default=())


def rows(*lines: tuple[str | Cell, ...]) -> tuple[tuple[Cell, ...], ...]:
    """Rows of a table from texts and cells."""
    return tuple(tuple(part if isinstance(part, Cell) else Cell(part) for part in line) for line in lines)
