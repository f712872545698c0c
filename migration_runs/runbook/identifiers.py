"""Which tables and functions a piece of SQL names, looked for as a reviewer would: conservatively.

Not a parser: it knows after which words a relation stands, what a function call looks like, and what a WITH
makes visible where. What it cannot place it reports as a reference, so that doubt refuses instead of
allowing. Bodies
of functions and DO blocks are looked into as well.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from migration_runs.runbook import ctes, sqltokens
from migration_runs.runbook.sqltokens import Token
from migration_runs.runbook.sqlwords import AFTER_ALIAS, END_OF_FROM, NO_FUNCTION, PAREN_WITH_FROM, VERBS

Verb = Literal["read", "insert", "update", "delete", "merge", "truncate", "lock", "define", "drop"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A relation or function that SQL names. ``schema`` is empty where it names none; ``verb`` says what is
    done to it.
    """

    kind: Literal["relation", "function", "index"]
    schema: str
    name: str
    line: int
    verb: Verb = "read"

    @property
    def qualified(self) -> str:
        """``schema.name``, or the name alone."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass
class _Frame:
    """What is known inside one pair of parentheses."""

    opener: str = ""
    clause: Literal["", "from", "names"] = ""
    verb: str = ""
    names_verb: Verb = "read"


def references(statement: list[Token], *, in_body: bool = False) -> list[Reference]:
    """Every relation and function that ``statement`` names, bodies included, common table expressions
    excluded.

    Raises sqltokens.UnreadableError for a body in which a quote or comment is never closed.
    """
    scanner = _Scanner(statement, in_body=in_body)
    scanner.run()
    found = scanner.found
    if is_code(statement):
        for token in bodies(statement):
            for inner in sqltokens.statements(sqltokens.tokens(token.text, first_line=token.line)):
                found += references(inner, in_body=True)
    return found


def is_code(statement: list[Token]) -> bool:
    """Whether the statement carries code: DO, CREATE FUNCTION, CREATE PROCEDURE."""
    words = [token.text for token in statement[:5] if token.kind == "word"]
    return bool(words) and (
        words[0] == "do" or (words[0] == "create" and bool({"function", "procedure"} & set(words)))
    )


def bodies(statement: list[Token]) -> list[Token]:
    """The strings of a DO, CREATE FUNCTION or CREATE PROCEDURE that hold code."""
    found = [token for token in statement if token.kind == "body"]
    for before, token in itertools.pairwise(statement):
        if token.kind == "string" and before.word("as", "do"):
            found.append(token)
    return found


class _Scanner:
    def __init__(self, statement: list[Token], *, in_body: bool) -> None:
        self.tokens, self.in_body = statement, in_body
        self.found: list[Reference] = []
        self.frames = [_Frame()]
        self.taken: set[int] = set()  # names that are no functions although a parenthesis follows
        self.closing = ctes.closing_parentheses(statement)
        self.ctes = ctes.find(statement, self.closing)
        self.taken.update(cte.at for cte in self.ctes)
        first = [token.text for token in statement[:6] if token.kind == "word"]
        self.first = first[0] if first else ""
        self.head = frozenset(first)

    def run(self) -> None:
        if self.first in ("grant", "revoke"):
            self._privileges()
            return
        if self.first in ("lock", "truncate", "analyze"):
            verb: Verb = (
                "read" if self.first == "analyze" else "truncate" if self.first == "truncate" else "lock"
            )
            self.frames[0].clause, self.frames[0].names_verb = "names", verb
            self._relation(1, verb)
        for at, token in enumerate(self.tokens):
            if token.symbol("("):
                self._open(at)
            elif token.symbol(")") and len(self.frames) > 1:
                self.frames.pop()
            elif token.symbol(","):
                self._comma(at)
            elif token.kind == "word":
                self._word(at, token.text)
            if token.is_name and self._at(at + 1).symbol("("):
                self._call(at)

    # -- words after which a relation stands

    def _word(self, at: int, word: str) -> None:
        frame, before = self.frames[-1], self._at(at - 1)
        if before.symbol("."):
            return
        if word in VERBS and not (word == "update" and not self._is_update(at)):
            frame.verb = word
        handler = {"from": self._from, "into": self._into, "join": self._join, "using": self._using}.get(word)
        if handler is not None:
            handler(at)
        elif word == "update" and self._is_update(at):
            self._relation(at + 1, "update")
        elif word in ("table", "view", "sequence", "statistics") and not self._at(at + 1).symbol("("):
            self._object(at)
        elif word == "index" and before.word("create", "unique", "drop", "alter", "reindex"):
            self._index(at)
        elif word == "on" and self._names_table(at):
            self._relation(at + 1, "define")
            self.first = ""
        elif word in END_OF_FROM and frame.clause == "from":
            frame.clause = ""
        else:
            self._in_definition(at, word)

    def _in_definition(self, at: int, word: str) -> None:
        """Relations that a table's definition names: REFERENCES, PARTITION OF, LIKE."""
        before = self._at(at - 1)
        if word == "references" or (word == "of" and before.word("partition")):
            self._relation(at + 1, "define")
        elif word == "like" and before.symbol("(", ",") and "create" in self.head:
            self._relation(at + 1, "read")

    def _join(self, at: int) -> None:
        self._item(at + 1)

    def _using(self, at: int) -> None:
        frame = self.frames[-1]
        if frame.verb in ("delete", "merge") and self._at(at + 1).is_name:
            frame.clause = "from"
            self._item(at + 1)

    def _from(self, at: int) -> None:
        frame, before = self.frames[-1], self._at(at - 1)
        if before.word("distinct") and self._at(at - 2).word("is", "not"):
            return
        if frame.opener in PAREN_WITH_FROM:
            return
        frame.clause = "from"
        self._item(at + 1, "delete" if before.word("delete") else "read")

    def _into(self, at: int) -> None:
        before = self._at(at - 1)
        if before.word("insert", "merge"):
            self._relation(at + 1, "insert" if before.text == "insert" else "merge")
        elif not self.in_body:
            self._relation(at + 1, "define")  # SELECT ... INTO makes a table

    def _is_update(self, at: int) -> bool:
        before, after = self._at(at - 1), self._at(at + 1)
        if before.word("do", "for", "key", "before", "after", "or", "of", "on", "instead"):
            return False
        return after.is_name and not after.word("set", "on", "of", "or")

    def _object(self, at: int) -> None:
        """CREATE, ALTER, DROP TABLE and the like; ``TABLE x`` alone reads it. Temporary tables are the file's
        own.
        """
        if "temporary" in self.head or "temp" in self.head:
            name, after = self._name(self._skip(at + 1))
            if name:
                self.taken.add(after - 1)
            return
        if self.first in ("create", "alter"):
            self._relation(at + 1, "define")
        elif self.first == "drop":
            self.frames[-1].clause, self.frames[-1].names_verb = "names", "drop"
            self._relation(at + 1, "drop")
        elif self.first == "comment" or self.tokens[at].text == "table":
            self._relation(at + 1, "read" if self.first != "comment" else "define")

    def _index(self, at: int) -> None:
        start = self._skip(at + 1)
        name, after = self._name(start)
        if not name or self._at(start).word("on"):
            return
        self.taken.add(after - 1)
        verb: Verb = "drop" if self.first == "drop" else "define"
        self.found.append(
            Reference("index", name[0] if len(name) > 1 else "", name[-1], self._at(start).line, verb)
        )

    def _names_table(self, at: int) -> bool:
        """Whether this ON is the one of CREATE INDEX / TRIGGER / POLICY / RULE, or of COMMENT ON COLUMN."""
        if len(self.frames) > 1:
            return False
        if self.first == "comment":
            return self._comment(at)
        kinds = {"index", "trigger", "policy", "rule", "constraint"}
        return self.first in ("create", "alter", "drop") and bool(kinds & self.head)

    def _comment(self, at: int) -> bool:
        if self._at(at + 1).word("column"):
            name, _ = self._name(at + 2)
            if name:
                self._add("relation", name[:-1] or name, at + 2, "define")
            return False
        return not self._at(at + 1).word(
            "table", "function", "index", "constraint", "trigger", "procedure", "view"
        )

    # -- lists

    def _comma(self, at: int) -> None:
        frame = self.frames[-1]
        if frame.clause == "from":
            self._item(at + 1)
        elif frame.clause == "names":
            self._relation(at + 1, frame.names_verb)

    def _open(self, at: int) -> None:
        before = self._at(at - 1)
        frame = _Frame(opener=before.text if before.kind == "word" else "")
        in_from = self.frames[-1].clause == "from" and (
            before.word("from", "join", "lateral") or before.symbol(",", "(")
        )
        self.frames.append(frame)
        if in_from and not self._at(at + 1).word("select", "with", "values"):
            frame.clause = "from"
            self._item(at + 1)

    def _item(self, at: int, verb: Verb = "read") -> None:
        """One item of a FROM: a relation with its alias. Functions and subqueries show themselves."""
        while self._at(at).word("lateral", "only"):
            at += 1
        name, after = self._name(at)
        if not name or self._at(after).symbol("(") or self._at(at).word("rows", "select", "values", "with"):
            return
        self._add("relation", name, at, verb)
        self._alias(after)

    def _alias(self, at: int) -> None:
        if self._at(at).symbol("*"):
            at += 1
        if self._at(at).word("as"):
            at += 1
        token = self._at(at)
        if token.is_name and not (token.kind == "word" and token.text in AFTER_ALIAS):
            self.taken.add(at)

    def _relation(self, at: int, verb: Verb) -> None:
        at = self._skip(at)
        name, after = self._name(at)
        if not name:
            return
        self._add("relation", name, at, verb)
        self.taken.add(after - 1)
        if verb in ("insert", "update", "merge", "delete"):
            self._alias(after)

    # -- privileges

    def _privileges(self) -> None:
        """GRANT and REVOKE: what stands between ON and TO or FROM."""
        at = next((at for at, token in enumerate(self.tokens) if token.word("on")), len(self.tokens))
        kind: Literal["relation", "function"] = "relation"
        at += 1
        if self._at(at).word("function", "procedure", "routine"):
            kind, at = "function", at + 1
        elif self._at(at).word("table"):
            at += 1
        while at < len(self.tokens):
            name, after = self._name(at)
            if not name:
                return
            self._add(kind, name, at, "define")
            at = self.closing.get(after, after - 1) + 1 if self._at(after).symbol("(") else after
            if not self._at(at).symbol(","):
                return
            at += 1

    # -- functions

    def _call(self, at: int) -> None:
        token, before = self.tokens[at], self._at(at - 1)
        if at in self.taken or before.symbol(")") or before.word("as", "using"):
            return
        parts, start = [token.text], at
        while self._at(start - 1).symbol(".") and self._at(start - 2).is_name:
            start -= 2
            parts.insert(0, self.tokens[start].text)
        if len(parts) == 1 and token.kind == "word" and token.text in NO_FUNCTION:
            return
        first = self._at(start - 1)
        defines = self.first in ("create", "alter", "drop", "comment") and first.word(
            "function", "procedure", "exists"
        )
        self._add(
            "function",
            tuple(parts),
            start,
            "drop" if defines and self.first == "drop" else "define" if defines else "read",
        )

    # -- small things

    def _at(self, at: int) -> Token:
        return self.tokens[at] if 0 <= at < len(self.tokens) else Token("symbol", "", 0)

    def _skip(self, at: int) -> int:
        """Past IF [NOT] EXISTS, ONLY, CONCURRENTLY and TABLE."""
        while self._at(at).word("if", "not", "exists", "only", "concurrently", "table"):
            at += 1
        return at

    def _name(self, at: int) -> tuple[tuple[str, ...], int]:
        """The dotted name at ``at`` and the position behind it; empty where there is none."""
        parts: list[str] = []
        while self._at(at).is_name:
            parts.append(self.tokens[at].text)
            at += 1
            if not (self._at(at).symbol(".") and self._at(at + 1).is_name):
                break
            at += 1
        return tuple(parts), at

    def _add(self, kind: Literal["relation", "function"], name: tuple[str, ...], at: int, verb: Verb) -> None:
        if (
            kind == "relation"
            and len(name) == 1
            and any(cte.name == name[0] and cte.first <= at <= cte.last for cte in self.ctes)
        ):
            return
        self.found.append(Reference(kind, ".".join(name[:-1]), name[-1], self._at(at).line, verb))
