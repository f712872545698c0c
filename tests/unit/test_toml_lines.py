"""Line numbers of TOML values, whatever stands between them."""

from __future__ import annotations

import tomllib

from migration_runs.runbook import toml_lines

TEXT = '''top = 1
long = """
[not.a.table]
key = 1
"""
list = [
  "a", # ] no end
  "[[phases]]",
]
literal = \'\'\'
x = 2 \'\'\'
inline = { a = 1, b = { c = 2 } }
[move]
"quoted key" = 3
[move.columns]
a.b = 4
[[phases]]
key = "one"  # comment = no key
[[phases.steps]]
key = "s1"
text = "quote \\" [x"
[[phases.steps]]
key = "s2"
[[phases]]
key = "two"
[[phases.steps]]
key = "s3"
'''


def test_every_value_is_found_on_its_line() -> None:
    tomllib.loads(TEXT)
    lines = toml_lines.index(TEXT)
    rows = TEXT.splitlines()

    def row(*path: str | int) -> str:
        return rows[lines.find(path) - 1]

    assert row("top") == "top = 1"
    assert row("list") == "list = ["
    assert row("literal").startswith("literal")
    assert row("move", "quoted key") == '"quoted key" = 3'
    assert row("move", "columns", "a", "b") == "a.b = 4"
    assert row("phases", 0, "key").startswith('key = "one"')
    assert row("phases", 0, "steps", 0, "key") == 'key = "s1"'
    assert row("phases", 0, "steps", 1, "key") == 'key = "s2"'
    assert row("phases", 1, "steps", 0, "key") == 'key = "s3"'


def test_a_missing_key_is_placed_at_what_surrounds_it() -> None:
    lines = toml_lines.index(TEXT)
    assert lines.find(("phases", 1, "steps", 0, "nothing")) == TEXT.splitlines().index('key = "s3"')
    assert (
        lines.find(("inline", "b", "c")) == TEXT.splitlines().index("inline = { a = 1, b = { c = 2 } }") + 1
    )
    assert lines.find(("nowhere",)) == 1


def test_text_inside_strings_and_lists_is_no_key() -> None:
    assert ("not", "a", "table") not in toml_lines.index(TEXT).of
    assert ("key",) not in toml_lines.index(TEXT).of
