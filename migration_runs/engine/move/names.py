"""A move's names: what every generated statement is made of.

A :class:`Shape` is made by :func:`migration_runs.engine.move.catalog.resolve`, which checks it against the
catalog. It is the only place from which generated SQL takes identifiers and types; types and defaults are
written so that they mean the same whatever the search path.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from migration_runs.engine import ledger
from migration_runs.runbook.move import Move

Side = Literal["source", "target"]
Direction = Literal["forward", "reverse"]


@dataclass(frozen=True)
class Column:
    """A column as the catalog has it. ``type`` and ``default`` are SQL that needs no search path."""

    name: str
    type: str
    base_type: str
    typmod: int
    not_null: bool
    default: str | None
    generated: bool
    identity: str
    kind: str
    is_array: bool
    known: bool
    loose_collation: bool
    comparable: bool


@dataclass(frozen=True)
class Table:
    """An ordinary table and its columns. ``identity`` are the columns of its primary key (may be empty)."""

    schema: str
    name: str
    oid: int
    columns: Mapping[str, Column]
    identity: tuple[str, ...]
    before_row_triggers: tuple[str, ...]

    @property
    def sql(self) -> sql.Identifier:
        """The qualified name, quoted."""
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class KeyColumn:
    """One column of the key: its name on both sides, its type, and ``k1``, ``k2`` ... in our own tables."""

    source: str
    target: str
    type: str
    name: str


@dataclass(frozen=True)
class Shape:
    """A move with its two tables and the names of everything that we make for it."""

    run_uid: uuid.UUID
    move: Move
    source: Table
    target: Table
    key: tuple[KeyColumn, ...]
    identity: tuple[Column, ...]
    warnings: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """``r<first 8 digits of the run>_``: how all our names of this run begin."""
        return ledger.object_prefix(self.run_uid)

    @property
    def touched(self) -> sql.Identifier:
        """Keys whose other side may lag: ``id, side, at, k1, k2 ...``."""
        return sql.Identifier("phasegate", f"{self.prefix}touched")

    @property
    def noted(self) -> sql.Identifier:
        """The sequence that numbers what is put on ``touched``."""
        return sql.Identifier("phasegate", f"{self.prefix}touched_id_seq")

    @property
    def dirty(self) -> sql.Identifier:
        """Keys that were drained since the verification looked at them: ``k1, k2 ..., xid`` of the drain."""
        return sql.Identifier("phasegate", f"{self.prefix}dirty")

    @property
    def gone(self) -> sql.Identifier:
        """Source rows that this run retired: ``id, at, k1 ..., p1 ... , image``."""
        return sql.Identifier("phasegate", f"{self.prefix}gone")

    @property
    def before(self) -> sql.Identifier:
        """Target rows in scope from before forward went on: ``k1 ..., image`` (NULL where it was equal)."""
        return sql.Identifier("phasegate", f"{self.prefix}before")

    def function(self, name: str) -> sql.Identifier:
        """A function of ours for this move."""
        return sql.Identifier("phasegate", f"{self.prefix}{self.move.name}_{name}")

    def trigger(self, name: str) -> sql.Identifier:
        """A trigger of ours for this move."""
        return sql.Identifier(self.trigger_name(name))

    def trigger_name(self, name: str) -> str:
        """The same as text."""
        return f"phasegate_{self.prefix}{self.move.name[:28]}_{name}"

    def table(self, side: Side) -> Table:
        """The table of that side."""
        return self.source if side == "source" else self.target

    @property
    def key_names(self) -> tuple[str, ...]:
        """``k1``, ``k2`` ...: the key's columns in our own tables."""
        return tuple(column.name for column in self.key)

    @property
    def fixed(self) -> frozenset[str]:
        """``k1`` ... of the key columns that the scope fixes, unless it fixes all of them."""
        inside = frozenset(column.name for column in self.key if column.source in self.move.scope)
        return inside if len(inside) < len(self.key) else frozenset()

    @property
    def identity_names(self) -> tuple[str, ...]:
        """``p1``, ``p2`` ...: the source's identity in ``gone``."""
        return tuple(f"p{number}" for number in range(1, len(self.identity) + 1))
