"""Cut SQL into words, quoted names, strings and symbols, as PostgreSQL's own lexer does, comments left out.

Only what the lint needs: it never changes SQL, it looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "quoted", "string", "body", "number", "parameter", "symbol"]

_DOLLAR = re.compile(r"\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$")
_WORD = re.compile(r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*")
_NUMBER = re.compile(r"0[xXoObB][0-9A-Fa-f_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?")
_STRING = re.compile(r"(?:[uU]&|[eEbBxXnN])?'")
_PARAMETER = re.compile(r"%\(\w+\)s")
_SYMBOLS = (
    "::",
    ":=",
    "=>",
    "..",
    "<>",
    "!=",
    "<=",
    ">=",
    "||",
    "->>",
    "->",
    "#>>",
    "#>",
    "@>",
    "<@",
    "?&",
    "?|",
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: ``text`` is folded to lower case for words, without quotes for quoted names and
    strings.

    A ``body`` is a dollar-quoted string, in which other SQL may stand. ``line`` counts from 1.
    """

    kind: Kind
    text: str
    line: int

    @property
    def is_name(self) -> bool:
        """Whether it can be (part of) an identifier."""
        return self.kind in ("word", "quoted")

    def word(self, *words: str) -> bool:
        """Whether it is one of these unquoted words."""
        return self.kind == "word" and self.text in words

    def symbol(self, *symbols: str) -> bool:
        """Whether it is one of these symbols."""
        return self.kind == "symbol" and self.text in symbols


class UnreadableError(ValueError):
    """A quote or comment that is never closed. ``line`` is where it opens."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def tokens(text: str, *, first_line: int = 1) -> list[Token]:
    """All tokens of ``text``, whose first line is number ``first_line``. Raises UnreadableError."""
    return list(_scan(text, first_line))


def statements(found: list[Token]) -> list[list[Token]]:
    """Split tokens at the semicolons outside parentheses and outside ``BEGIN ATOMIC`` bodies; empty ones are
    dropped.
    """
    result: list[list[Token]] = []
    current: list[Token] = []
    depth = atomic = 0
    for token in found:
        if token.symbol("(", "["):
            depth += 1
        elif token.symbol(")", "]"):
            depth -= 1
        elif token.word("atomic") and current and current[-1].word("begin"):
            atomic = 1
        elif atomic and token.word("case"):
            atomic += 1
        elif atomic and token.word("end"):
            atomic -= 1
        if token.symbol(";") and depth <= 0 and not atomic:
            if current:
                result.append(current)
            current, depth = [], 0
        else:
            current.append(token)
    if current:
        result.append(current)
    return result


def _scan(text: str, line: int) -> Iterator[Token]:
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if char in " \t\r\n\f\v":
            line += char == "\n"
            at += 1
        elif text.startswith("--", at):
            stop = text.find("\n", at)
            at = end if stop < 0 else stop
        elif text.startswith("/*", at):
            stop = _comment_end(text, at, line)
            line += text.count("\n", at, stop)
            at = stop
        else:
            token, stop = _token(text, at, line)
            yield token
            line += text.count("\n", at, stop)
            at = stop


def _token(text: str, at: int, line: int) -> tuple[Token, int]:
    """The token at ``at`` and where it ends."""
    return (
        _quoting(text, at, line)
        or _matched("parameter", _PARAMETER, text, at, line)
        or _matched("word", _WORD, text, at, line)
        or _matched("number", _NUMBER, text, at, line)
        or _symbol(text, at, line)
    )


def _quoting(text: str, at: int, line: int) -> tuple[Token, int] | None:
    """A string of any kind or a quoted name."""
    if text[at] == '"':
        return _quoted(text, at, line)
    dollar = _DOLLAR.match(text, at)
    if dollar:
        stop = text.find(dollar[0], dollar.end())
        if stop < 0:
            raise UnreadableError(f"the string that {dollar[0]} opens is never closed", line)
        return Token("body", text[dollar.end() : stop], line), stop + len(dollar[0])
    opening = _STRING.match(text, at)
    return _string(text, at, opening.end() - 1, line, escapes=text[at] in "eE") if opening else None


def _matched(kind: Kind, pattern: re.Pattern[str], text: str, at: int, line: int) -> tuple[Token, int] | None:
    found = pattern.match(text, at)
    if found is None:
        return None
    written = found[0][2:-2] if kind == "parameter" else found[0]
    return Token(kind, written.lower() if kind == "word" else written, line), found.end()


def _symbol(text: str, at: int, line: int) -> tuple[Token, int]:
    for symbol in _SYMBOLS:
        if text.startswith(symbol, at):
            return Token("symbol", symbol, line), at + len(symbol)
    return Token("symbol", text[at], line), at + 1


def _string(text: str, at: int, quote: int, line: int, *, escapes: bool) -> tuple[Token, int]:
    position = quote + 1
    while position < len(text):
        if escapes and text[position] == "\\":
            position += 2
        elif text[position] != "'":
            position += 1
        elif text.startswith("''", position):
            position += 2
        else:
            return Token("string", text[quote + 1 : position].replace("''", "'"), line), position + 1
    raise UnreadableError(f"the string that starts with {text[at : at + 10]!r} is never closed", line)


def _quoted(text: str, at: int, line: int) -> tuple[Token, int]:
    position = at + 1
    while position < len(text):
        if text[position] != '"':
            position += 1
        elif text.startswith('""', position):
            position += 2
        else:
            return Token("quoted", text[at + 1 : position].replace('""', '"'), line), position + 1
    raise UnreadableError("a quoted name is never closed", line)


def _comment_end(text: str, at: int, line: int) -> int:
    """Where the comment that opens at ``at`` ends; comments nest."""
    depth, position = 1, at + 2
    while position < len(text):
        if text.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif text.startswith("*/", position):
            depth, position = depth - 1, position + 2
            if depth == 0:
                return position
        else:
            position += 1
    raise UnreadableError("a comment is never closed", line)
