"""What `runbook check` refuses in a single SQL file, given how it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migration_runs.exceptions import Finding
from migration_runs.runbook import identifiers, placeholders, sqlfile, sqltokens, statements
from migration_runs.runbook.identifiers import Reference
from migration_runs.runbook.plan import Runbook
from migration_runs.runbook.sqltokens import Token
from migration_runs.runbook.sqlwords import BUILTIN_FUNCTIONS
from migration_runs.runbook.steps import SqlStep
from migration_runs.runbook.uses import READING, Use

_READABLE_SCHEMAS = frozenset({"pg_catalog", "information_schema", "phasegate"})


@dataclass(frozen=True)
class Looked:
    """A file cut into statements, with everything that it names."""

    use: Use
    statements: tuple[list[Token], ...]
    references: tuple[Reference, ...]

    def at(self, line: int, message: str) -> Finding:
        """A finding in this file."""
        return Finding(self.use.file.path, line, message)


def look(use: Use) -> Looked | Finding:
    """Cut the file; the finding says where a quote or comment is never closed."""
    try:
        found = sqltokens.statements(sqltokens.tokens(use.file.text))
        named = [reference for statement in found for reference in identifiers.references(statement)]
    except sqltokens.UnreadableError as error:
        return Finding(use.file.path, error.line, f"SQL syntax: {error}")
    return Looked(use, tuple(found), tuple(named))


def lint(looked: Looked, runbook: Runbook, *, own_indexes: frozenset[str]) -> Iterator[Finding]:
    """Every finding of the file in this use. ``own_indexes`` are those that the runbook itself creates."""
    if not looked.statements:
        yield looked.at(1, "the file holds no statement")
        return
    for statement in looked.statements:
        for line, message in statements.complaints(statement):
            yield looked.at(line, message)
    yield from _transaction(looked)
    yield from _timeouts(looked)
    yield from _parameters(looked, runbook)
    if looked.use.purpose in READING:
        yield from _reading(looked)
    yield from _names(looked, runbook, own_indexes)


def _transaction(looked: Looked) -> Iterator[Finding]:
    outside = [one for one in looked.statements if statements.needs_no_transaction(one)]
    step = looked.use.step
    if outside and len(looked.statements) > 1:
        yield looked.at(
            outside[0][0].line,
            "this statement cannot run in a transaction, so it must be the only one of its file: several "
            "could be carried out half",
        )
    if isinstance(step, SqlStep) and looked.use.purpose == "execute":
        if outside and step.transaction:
            yield looked.at(
                outside[0][0].line, "this statement cannot run in a transaction: set transaction = false"
            )
        if not step.transaction and not outside:
            yield looked.at(1, "transaction = false is for a statement that cannot run in one; this file can")


def _timeouts(looked: Looked) -> Iterator[Finding]:
    named = sqlfile.timeouts(looked.use.file.header)
    ddl = next((one for one in looked.statements if statements.is_ddl(one)), None)
    if ddl is not None and named.lock_ms is None:
        yield looked.at(
            ddl[0].line,
            "DDL without a lock timeout: the header's timeout must read 'lock ..., statement ...'",
        )


def _parameters(looked: Looked, runbook: Runbook) -> Iterator[Finding]:
    text = looked.use.file.text
    used = placeholders.names(text)
    known = set(runbook.parameters)
    if looked.use.purpose == "check":
        known |= placeholders.CHECK_PARAMETERS
    if looked.use.purpose == "rule":
        known |= placeholders.RULE_PARAMETERS
    if looked.use.purpose == "query":
        known = set()  # people run it by hand: nobody fills anything in
    for name in sorted(used - known):
        yield looked.at(placeholders.line_of(text, name), f"there is no parameter '{name}' here")
    line = placeholders.lone_percent(text) if used else None
    if line is not None:
        yield looked.at(
            line, "in a file with parameters a literal percent sign is written %%, comments included"
        )
    for token in (token for statement in looked.statements for token in statement):
        if token.kind in ("string", "body", "quoted") and placeholders.names(token.text):
            yield looked.at(token.line, "a parameter inside quotes would not be quoted as a value")


def _reading(looked: Looked) -> Iterator[Finding]:
    if len(looked.statements) > 1:
        yield looked.at(
            looked.statements[1][0].line, f"a file of this use ({looked.use.purpose}) is a single query"
        )
    for statement in looked.statements:
        if not statements.only_reads(statement):
            yield looked.at(statement[0].line, f"a file of this use ({looked.use.purpose}) may only read")


def _names(looked: Looked, runbook: Runbook, own_indexes: frozenset[str]) -> Iterator[Finding]:
    tables = set(runbook.tables)
    functions = {signature.partition("(")[0].strip() for signature in runbook.functions}
    bare = {name.rpartition(".")[2]: name for name in (*tables, *functions)}
    temporary = set(_temporary_tables(looked))
    for reference in looked.references:
        message = ""
        if reference.kind == "index":
            if reference.verb == "drop" and reference.name not in own_indexes:
                message = f"index {reference.qualified} is not one that this runbook creates"
        elif reference.kind == "relation":
            message = _relation(reference, tables, temporary, bare)
        else:
            message = _function(reference, functions, bare)
        if message:
            yield looked.at(reference.line, message)


def _relation(reference: Reference, tables: set[str], temporary: set[str], bare: dict[str, str]) -> str:
    if reference.qualified in tables:
        return ""
    if reference.schema == "pg_temp":
        return "" if reference.name in temporary else f"this file creates no temporary table {reference.name}"
    catalog = reference.schema in _READABLE_SCHEMAS or (
        not reference.schema and reference.name.startswith("pg_")
    )
    if catalog:
        return "" if reference.verb == "read" else f"{reference.qualified} may only be read"
    if not reference.schema and reference.name in bare:
        return f"write {bare[reference.name]} with its schema"
    if reference.name in temporary:
        return f"write pg_temp.{reference.name}, so that no other table of that name is meant"
    return f"table {reference.qualified} is not among the runbook's declared tables"


def _function(reference: Reference, functions: set[str], bare: dict[str, str]) -> str:
    if reference.qualified in functions:
        return ""
    if reference.schema in ("", "pg_catalog") and reference.name in BUILTIN_FUNCTIONS:
        return "" if reference.verb == "read" else f"function {reference.qualified} is PostgreSQL's own"
    if not reference.schema and reference.name in bare:
        return f"write {bare[reference.name]} with its schema"
    return (
        f"function {reference.qualified} is neither among the runbook's declared functions "
        "nor an allowed one of PostgreSQL"
    )


def _temporary_tables(looked: Looked) -> Iterator[str]:
    for statement in looked.statements:
        words = [token.text for token in statement[:8]]
        if words[:1] == ["create"] and words[1] in ("temp", "temporary") and "table" in words:
            at = words.index("table") + 1
            while statement[at].word("if", "not", "exists"):
                at += 1
            yield statement[at].text
