"""What a seed's tables look like: key, soft delete, scope, packed columns, rows that are there before."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from migration_runs.engine.move.names import Side
from migration_runs.runbook.move import Active, Const, Move, Pack

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
CODES = 3
COMPANION = 120_000_000
"""A companion is the row that the application's own trigger writes: its key is so far from its cause's."""

KEYS: dict[str, tuple[str, ...]] = {
    "num": ("num",),
    "num_code": ("num", "code"),
    "code_num": ("code", "num"),
    "at_code": ("at", "code"),
}
TARGET_NAMES = {"num": "client", "at": "placed_at"}
TYPES = {"num": "integer", "code": "text", "at": "timestamptz", "kind": "text"}

Route = Literal["completed", "copying", "copied", "switched", "cleaning", "reopened"]
"""How far the move goes before it is rolled back; ``reopened`` is completed and then rolled back."""

Row = tuple[str, Decimal, str | None, tuple[str | None, ...] | None]


@dataclass(frozen=True)
class Form:
    """One choice of everything that is random about the tables. ``existing``: target rows from before."""

    key: str
    soft: Literal["none", "null", "equals"]
    full_unique: bool
    scope: Literal["none", "key", "beside"]
    packed: bool
    existing: Literal["none", "equal", "different"]
    nested: bool
    rows: int
    pace_ms: float
    copiers: int
    decision: Literal["keep", "delete"]

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The source's names of the key's columns."""
        return (*(("kind",) if self.scope == "key" else ()), *KEYS[self.key])

    @property
    def with_code(self) -> bool:
        """Whether a logical key is spread over two columns."""
        return "code" in KEYS[self.key]

    def key_values(self, n: int) -> dict[str, Any]:
        """The columns of logical key ``n``, by the source's names."""
        whole, rest = divmod(n, CODES) if self.with_code else (n, 0)
        values = {"num": whole, "code": f"c{rest}", "at": EPOCH + timedelta(minutes=whole), "kind": "a"}
        return {name: values[name] for name in self.key_columns}

    def number(self, values: Mapping[str, Any]) -> int:
        """The logical key of these columns."""
        whole = values["num"] if "num" in values else round((values["at"] - EPOCH).total_seconds() / 60)
        return int(whole) * CODES + int(values["code"][1:]) if self.with_code else int(whole)

    def name(self, column: str, side: Side) -> str:
        """What that side calls a column of the source."""
        return TARGET_NAMES.get(column, column) if side == "target" else column

    def existed(self, n: int) -> bool:
        """Whether the target held logical key ``n`` before the run."""
        return self.existing != "none" and n % 11 == 5 and n % 10 != 3 and n < self.rows

    def move(self) -> Move:
        """The move between the two tables."""
        names = (*KEYS[self.key], *(("kind",) if self.scope != "none" else ()), "val", "amount")
        columns: dict[str, str | Const | Pack] = {self.name(name, "target"): name for name in names}
        columns["origin"] = Const(const="legacy")
        if self.packed:
            columns["more"] = Pack(pack=("note", "tags"), literal={"by": "move"})
        else:
            columns |= {"note": "note", "tags": "tags"}
        left_out = ("source.id", "source.touched_at") if self.soft != "none" else ("source.touched_at",)
        return Move(
            name="fuzz", source="public.old_side", target="public.new_side", key=self.key_columns,
            chunk_column=KEYS[self.key][0], scope={} if self.scope == "none" else {"kind": "a"},
            columns=columns, left_out=(*left_out, "target.id"), active=_ACTIVE[self.soft],
            on_different="overwrite" if self.existing == "different" else "refuse",
        )  # fmt: skip


_ACTIVE = {
    "none": None,
    "null": Active(column="deleted_at", is_null=True),
    "equals": Active(column="state", equals="live", retired="retired"),
}


def chosen(rng: random.Random, **fixed: Any) -> Form:
    """The form that a seed gives; ``fixed`` fields are as said."""
    given: dict[str, Any] = {
        "key": rng.choice(sorted(KEYS)),
        "soft": rng.choice(("none", "null", "equals", "null")),
        "full_unique": rng.random() < 0.25,
        "scope": rng.choice(("none", "key", "beside")),
        "packed": rng.random() < 0.5,
        "existing": rng.choice(("none", "equal", "different")),
        "nested": rng.random() < 0.4,
        "rows": rng.randrange(600, 1500),
        "pace_ms": rng.choice((0.0, 0.5, 1.0, 1.5)),
        "copiers": rng.choice((2, 3)),
        "decision": rng.choice(("keep", "delete")),
    }
    return Form(**(given | fixed))


def row_of(token: str) -> Row:
    """The whole row that a write with this token makes: no two writes agree in one column by accident."""
    seed = zlib.crc32(token.encode())
    note = None if seed % 5 == 0 else f"n{seed % 1000}"
    tags = None if seed % 7 == 0 else (f"t{seed % 100}", None, 'b"c')
    return token, Decimal(seed % 1_000_000) / 100, note, tags


def packed(row: Row) -> str:
    """The jsonb of the columns that the target packs."""
    return json.dumps({"note": row[2], "tags": row[3], "by": "move"})
