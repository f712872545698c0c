"""Proof that a direction works: a row is corrected, taken away, put back; each arrives, all is undone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from migration_runs.engine import ledger, statements
from migration_runs.engine.job import Job, Reporter
from migration_runs.engine.move import columns, locking, mirroring
from migration_runs.engine.move.drain import Key, keys_as_text, parameters
from migration_runs.engine.move.names import Column, Direction, Shape, Side
from migration_runs.exceptions import StepFailed

TRIES = 5
PAUSE_S = 0.2

_CHANGES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"}), "{} + 1"),
    (frozenset({"text", "character varying"}), "{} || 'x'"),
    (frozenset({"boolean"}), "NOT {}"),
    (
        frozenset({"timestamp with time zone", "timestamp without time zone"}),
        "{} + interval '1 second'",
    ),
    (frozenset({"date"}), "{} + 1"),
)


@dataclass(frozen=True)
class Proof:
    """What was seen to arrive: ``correction``, ``withdrawal``, ``insertion``; nothing without a row."""

    key: Key | None
    arrived: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.key is None:
            return "no row yet to prove it with"
        text = f"{', '.join(self.arrived)} of {'/'.join(self.key)} arrived (rolled back)"
        return text + (f"; not tried: {', '.join(self.skipped)}" if self.skipped else "")


class _Flown(Exception):  # noqa: N818 - ends the transaction by rolling it back
    def __init__(self, proof: Proof) -> None:
        super().__init__()
        self.proof = proof


class _NotArrived(Exception):  # noqa: N818 - becomes a StepFailed when it repeats itself
    pass


def prove(
    conn: psycopg.Connection[Any],
    job: Job,
    shape: Shape,
    *,
    direction: Direction,
    reporter: Reporter | None = None,
) -> Proof:
    """Try the direction on one real row in a fenced transaction that is rolled back.

    Raises StepFailed with what did not arrive, after some tries: a trigger rightly gives way when somebody
    holds the row's counterpart. Raises EngineError when the row does not come free.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return locking.retried(
                lambda: _attempt(conn, job, shape, direction),
                what="the canary row", reporter=reporter,
            )  # fmt: skip
        except _NotArrived as error:
            if attempt == TRIES:
                raise StepFailed(
                    f"{direction} dual-write does not work: {error}",
                    kept="the triggers are on",
                    next_step="see the server's log and triggers on both tables, then retry or roll back",
                ) from error
            time.sleep(PAUSE_S)
    raise AssertionError  # the loop returns or raises


def _attempt(conn: psycopg.Connection[Any], job: Job, shape: Shape, direction: Direction) -> Proof:
    try:
        with ledger.fenced(conn, job):
            raise _Flown(_Canary(conn, shape, mirroring.WRITER[direction]).fly())
    except _Flown as flown:
        return flown.proof


class _Canary:
    """One flight, inside the caller's transaction."""

    def __init__(self, conn: psycopg.Connection[Any], shape: Shape, side: Side) -> None:
        self.conn, self.shape, self.side = conn, shape, side
        self.other: Side = "target" if side == "source" else "source"
        self.table = shape.table(side)
        self.keys = keys_as_text(shape)
        self.parameters: dict[str, Any] = {}
        self.parts: dict[str, sql.Composable] = {
            "table": self.table.sql,
            "keys": self.keys,
            "row_key": columns.key_match(shape, "r", side, "k", None),
            "rows": self._rows(side),
        }

    def fly(self) -> Proof:
        found = self.conn.execute(
            statements.compose(
                "canary_pick",
                table=self.table.sql,
                rows=self._rows(self.side),
                key=columns.comma(columns.key_of(self.shape, "r", self.side)),
                key_text=columns.key_text(self.shape, "r", self.side),
            )
        ).fetchone()
        if found is None:
            return Proof(None, ())
        key: Key = tuple(found[0])
        self.parameters = dict(parameters(self.shape, [key]))
        row = self._run("canary_keep").fetchone()
        if row is None:  # gone since it was picked
            raise _NotArrived("the row that was to prove it went away")
        arrived: list[str] = []
        skipped: list[str] = []
        for name, act in (("correction", self._correct), ("withdrawal", self._withdraw)):
            (arrived if act() else skipped).append(name)
        inserted = "withdrawal" in arrived and self._insert(row[0])
        (arrived if inserted else skipped).append("insertion")
        return Proof(key, tuple(arrived), tuple(skipped))

    def _correct(self) -> bool:
        for column in self._mapped():
            for change in _changes(column):
                try:
                    with self.conn.transaction():
                        changed = self._run("canary_change", column=sql.Identifier(column.name), value=change)
                except (errors.IntegrityError, errors.DataError, errors.RaiseException):
                    continue  # the table does not allow this value; another column or value may do
                if changed.rowcount:
                    self._check("a correction", there=True)
                    return True
        return False

    def _withdraw(self) -> bool:
        try:
            with self.conn.transaction():
                if self.side == "source" and self.shape.move.active is not None:
                    self._run("canary_withdraw", retired=columns.assignments(columns.retired(self.shape)))
                else:
                    self._run("canary_delete")
        except errors.IntegrityError:
            return False  # other rows refer to it; the application cannot take it away either
        self._check("a withdrawal", there=False)
        return True

    def _insert(self, row: str) -> bool:
        left = set(self.shape.move.left_out)
        names = columns.comma(
            sql.Identifier(column.name)
            for column in self.table.columns.values()
            if f"{self.side}.{column.name}" not in left and not column.generated and column.identity != "a"
        )
        self.parameters["row"] = row
        try:
            with self.conn.transaction():
                self._run("canary_insert", columns=names)
        except errors.UniqueViolation:
            # The key's index counts withdrawn rows too: the one that was just withdrawn is in the way.
            try:
                with self.conn.transaction():
                    self._run("canary_delete", rows=sql.SQL("true"))
                    self._run("canary_insert", columns=names)
            except errors.IntegrityError:
                return False  # other rows refer to it
        self._check("an insertion", there=True)
        return True

    def _check(self, what: str, *, there: bool) -> None:
        found = self._run(
            "canary_state",
            other=self.shape.table(self.other).sql,
            other_key=columns.key_match(self.shape, "r", self.other, "k", None),
            other_rows=self._rows(self.other),
            difference=mirroring.difference(self.shape, self.keys),
        ).fetchone()
        if found != (there, True):
            raise _NotArrived(f"{what} in {self.table} did not arrive in {self.shape.table(self.other)}")

    def _rows(self, side: Side) -> sql.Composable:
        return (
            columns.source_rows(self.shape, "r")
            if side == "source"
            else columns.target_scope(self.shape, "r")
        )

    def _mapped(self) -> list[Column]:
        """Columns that are mapped one to one and are neither key nor scope, of this side."""
        fixed = {*self.shape.move.key, *self.shape.move.scope}
        return [
            self.table.columns[made_of if self.side == "source" else name]
            for name, made_of in self.shape.move.columns.items()
            if isinstance(made_of, str) and made_of not in fixed
        ]

    def _run(self, name: str, **parts: sql.Composable) -> psycopg.Cursor[Any]:
        return self.conn.execute(statements.compose(name, **{**self.parts, **parts}), self.parameters)


def _changes(column: Column) -> list[sql.Composable]:
    of = columns.column("r", column.name)
    found: list[sql.Composable] = [
        columns.trusted(text).format(of) for types, text in _CHANGES if column.base_type in types
    ]
    return found if column.not_null else [*found, sql.SQL("NULL")]
