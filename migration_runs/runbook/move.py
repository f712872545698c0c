"""The move: which rows of the source become which rows of the target."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from migration_runs.runbook.base import Frozen
from migration_runs.runbook.copying import CopySettings


class Const(Frozen):
    """A column that always has this value."""

    const: str | int | float | bool | None


class Pack(Frozen):
    """A jsonb column that keeps source columns which the target has no column for.

    The object holds one key per packed source column, and the literals of ``literal``. Mirrored
    back, each packed column is read from its key, or takes its ``default`` when the key is absent.
    """

    pack: tuple[str, ...]
    literal: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    default: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class Active(Frozen):
    """Which source rows live: ``column IS NULL`` or ``column = value``; others are withdrawn.

    A row is retired (soft-deleted) by setting the column to the transaction's time (``is_null``)
    or to ``retired``.
    """

    column: str
    is_null: bool = False
    equals: str | int | bool | None = None
    retired: str | int | bool | None = None


class Move(Frozen):
    """A table-to-table move: which rows of ``source`` become which rows of ``target``.

    ``source`` and ``target`` are ``schema.table``. ``key`` names source columns that identify an
    active row inside the scope and are mapped unchanged to target columns. ``columns`` says for
    each target column how it is made of the source row: a source column's name, a ``Const``, or a
    ``Pack``. ``left_out`` names columns of either side that each table fills by itself
    (``source.id``, ``target.id``): they are neither copied nor compared.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    source: str
    target: str
    key: tuple[str, ...] = Field(min_length=1)
    chunk_column: str
    scope: dict[str, str | int | bool] = Field(default_factory=dict)
    columns: dict[str, str | Const | Pack]
    left_out: tuple[str, ...] = ()
    active: Active | None = None
    tolerance: dict[str, float] = Field(default_factory=dict)
    on_error: Literal["fail", "record"] = "fail"
    on_different: Literal["refuse", "overwrite"] = "refuse"
    copying: CopySettings = Field(default_factory=CopySettings)
