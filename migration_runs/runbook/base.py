"""What every part of a plan is made of: immutable models, and SQL files with their header."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, and refusing keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SqlHeader(Frozen):
    """The comment that opens every SQL file: what a DBA wants to know before reading it."""

    what: str
    why: str
    locks: str
    timeout: str
    undo: str


class SqlFile(Frozen):
    """A SQL file of the runbook: path inside the runbook's folder, its header, its text."""

    path: str
    header: SqlHeader
    text: str
