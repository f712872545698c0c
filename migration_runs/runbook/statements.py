"""What a single SQL statement is, and whether a runbook may contain it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from migration_runs.runbook import identifiers, sqltokens
from migration_runs.runbook.sqltokens import Token
from migration_runs.runbook.sqlwords import TRANSACTION_CONTROL

_PLAIN = frozenset(
    {"select", "with", "values", "insert", "update", "delete", "merge", "comment", "grant", "revoke", "do",
     "lock", "analyze", "call", "vacuum", "reindex"}
)  # fmt: skip
_OBJECTS = frozenset(
    {"table", "index", "function", "procedure", "view", "trigger", "sequence", "type", "policy", "statistics"}
)
_FILLERS = frozenset(
    {"or", "replace", "unique", "temp", "temporary", "unlogged", "constraint", "materialized", "recursive"}
)
_GRANTABLE = frozenset({"table", "function", "procedure"})
_LANGUAGES = frozenset({"sql", "plpgsql"})
_DDL = frozenset({"create", "alter", "drop", "comment", "grant", "revoke", "lock", "reindex"})

Complaint = tuple[int, str]
"""A line and what is wrong there."""


def complaints(statement: list[Token]) -> Iterator[Complaint]:
    """Why this statement may not stand in a runbook. Raises sqltokens.UnreadableError for a broken body."""
    first = statement[0]
    word = first.text if first.kind == "word" else ""
    if word in TRANSACTION_CONTROL:
        yield (
            first.line,
            f"{word.upper()} ends or starts a transaction; the panel owns the transaction of every file",
        )
    elif word in ("set", "reset", "discard"):
        yield (
            first.line,
            f"{word.upper()} changes the session; time zone, search_path and timeouts are the panel's",
        )
    elif word in ("create", "alter", "drop"):
        yield from _object(statement)
    elif word in ("grant", "revoke"):
        yield from _privilege(statement)
    elif word not in _PLAIN and not first.symbol("("):
        yield first.line, f"a runbook may not contain a statement that starts with {first.text.upper()}"
    if identifiers.is_code(statement):
        yield from _code(statement)


def is_ddl(statement: list[Token]) -> bool:
    """Whether it takes locks on definitions: CREATE, ALTER, DROP, COMMENT, GRANT, REVOKE, LOCK, but not on
    temporary tables.
    """
    words = [token.text for token in statement[:3] if token.kind == "word"]
    return bool(words) and words[0] in _DDL and not {"temp", "temporary"} & set(words)


def needs_no_transaction(statement: list[Token]) -> bool:
    """Whether PostgreSQL refuses it inside a transaction block."""
    words = [token.text for token in statement[:6] if token.kind == "word"]
    return bool(words) and (
        words[0] == "vacuum" or (words[0] in ("create", "drop", "reindex") and "concurrently" in words)
    )


def only_reads(statement: list[Token]) -> bool:
    """Whether it is a query that locks and changes no row by itself (functions that it calls aside)."""
    if not statement[0].word("select", "with", "values") and not statement[0].symbol("("):
        return False
    for before, token, after in zip(statement, statement[1:], [*statement[2:], None], strict=False):
        if token.word("insert", "update", "delete", "merge") and before.symbol("("):
            return False
        if (
            before.word("for")
            and token.word("update", "share", "no", "key")
            and (after is None or after.is_name)
        ):
            return False
    return True


def _object(statement: list[Token]) -> Iterator[Complaint]:
    words = [token for token in statement[1:8] if token.kind == "word" and token.text not in _FILLERS]
    kind = words[0].text if words else ""
    if kind not in _OBJECTS:
        yield statement[0].line, f"a runbook may not {statement[0].text.upper()} {kind.upper() or 'this'}"
    if kind in ("function", "procedure") and statement[0].text == "create":
        yield from _function(statement)


def _function(statement: list[Token]) -> Iterator[Complaint]:
    pairs = list(itertools.pairwise(statement))
    for before, token in pairs:
        if before.word("language") and token.text.lower() not in _LANGUAGES:
            yield (
                token.line,
                f"functions are written in {' or '.join(sorted(_LANGUAGES))}, not in {token.text}",
            )
    definer = next(
        (token for before, token in pairs if before.word("security") and token.word("definer")), None
    )
    if definer and not any(before.word("set") and token.word("search_path") for before, token in pairs):
        yield (
            definer.line,
            "a SECURITY DEFINER function must SET search_path, or its caller decides what it runs",
        )


def _privilege(statement: list[Token]) -> Iterator[Complaint]:
    pairs = list(itertools.pairwise(statement))
    named = next((token for before, token in pairs if before.word("on")), None)
    if named is None:
        yield statement[0].line, "a runbook may not grant or revoke roles"
    elif (
        named.kind == "word"
        and named.text not in _GRANTABLE
        and named.text in ("all", "schema", "database", "language", "tablespace", "parameter", "foreign")
    ):
        yield named.line, f"a runbook may not change privileges on {named.text.upper()}"


def _code(statement: list[Token]) -> Iterator[Complaint]:
    for body in identifiers.bodies(statement):
        for inner in sqltokens.statements(sqltokens.tokens(body.text, first_line=body.line)):
            for before, token in zip([None, *inner], inner, strict=False):
                dynamic = token.word("execute") and not (
                    before and before.word("on", "grant", "revoke", "for")
                )
                starts = before is None or before.word("begin", "then", "else", "loop")
                if dynamic and (starts or (before and before.word("query", "in"))):
                    yield token.line, "EXECUTE runs SQL that nobody can review before it is put together"
                if token.word("commit", "rollback") and starts:
                    yield token.line, f"{token.text.upper()} inside code ends the panel's transaction"
                if token.word("copy") and starts:
                    yield token.line, "a runbook may not contain COPY"
