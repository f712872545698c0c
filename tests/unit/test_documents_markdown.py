"""Documents as Markdown: what people wrote stays what they wrote, and tables stay tables."""

from __future__ import annotations

import pytest

from migration_runs.documents import markdown
from migration_runs.documents.blocks import (
    Cell,
    Code,
    Document,
    Facts,
    Items,
    Paragraph,
    Section,
    Table,
    rows,
)


def rendered(*blocks: Paragraph | Items | Facts | Table | Code) -> str:
    document = Document(
        "test", "A title", "About it.", (Section("Part", blocks, key="part"),), (("Run", "r_1"),)
    )
    return markdown.render(document, word=lambda state: {"done": "Done"}[state])


def test_a_document_has_its_title_facts_and_parts() -> None:
    assert rendered(Paragraph("Text.", strong="First:")) == (
        "# A title\n\nAbout it.\n\n- Run: r\\_1\n\n## Part\n\n**First:** Text.\n"
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a | b", "a \\| b"),
        ("<b>bold</b>", "\\<b\\>bold\\</b\\>"),
        ("[x](y)", "\\[x\\](y)"),
        ("*no* `code`", "\\*no\\* \\`code\\`"),
        ("# no heading", "\\# no heading"),
        ("- no item", "\\- no item"),
        ("1. no item", "\\1. no item"),
        ("two\nlines", "two lines"),
        ("~~gone~~", "\\~\\~gone\\~\\~"),
    ],
)
def test_nothing_that_people_wrote_becomes_markup(text: str, written: str) -> None:
    assert markdown.escaped(text) == written


def test_a_table_keeps_its_cells_apart_and_says_states_in_words() -> None:
    table = Table(
        ("Step", "State", "Rows"),
        rows(("a | b", Cell(state="done", note="m.okafor"), "12")),
        numbers=frozenset({2}),
    )
    assert "| Step | State | Rows |\n| --- | --- | ---: |\n| a \\| b | Done (m.okafor) | 12 |" in rendered(
        table
    )


def test_an_empty_table_says_why() -> None:
    assert "None was recorded." in rendered(Table(("A",), (), empty="None was recorded."))


def test_code_with_backticks_does_not_end_its_own_fence() -> None:
    written = rendered(Code("a.sql", "SELECT '```';"))
    assert "````sql\nSELECT '```';\n````" in written


def test_numbered_items_are_numbered() -> None:
    assert "1. **Hold** the run\n2. read" in rendered(
        Items((("Hold", "the run"), ("", "read")), ordered=True)
    )


def test_boxes_can_be_ticked_on_paper() -> None:
    assert "\N{BALLOT BOX}" * 3 in rendered(Table(("A", "B"), rows(("a", Cell(boxes=3)))))
