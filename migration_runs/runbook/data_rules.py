"""Rules about the data itself, as declared: what must hold of the moved rows besides being equal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from migration_runs.runbook.base import Frozen, SqlFile
from migration_runs.runbook.placeholders import RULE_PARAMETERS, names


class Rule(Frozen):
    """A rule: a query that returns the rows that break it, none while it holds.

    The column ``detail`` (text) says what is wrong; every other column is part of the row's key. With
    ``%(lo)s`` and ``%(hi)s`` in it the rule is asked bucket by bucket: they are the ends of the bucket in the
    move's chunk column, both inclusive, NULL where it is open. Otherwise it is asked once a full pass. It may
    use the plan's own parameters, too. ``severity`` warn is shown and stops nothing. ``examples`` of the rows
    are kept.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    title: str
    why: str = ""
    sql: SqlFile
    severity: Literal["fail", "warn"] = "fail"
    examples: int = Field(default=10, ge=1, le=100)
    what_to_do: str = ""

    @property
    def incremental(self) -> bool:
        """Whether the rule is asked bucket by bucket."""
        return bool(names(self.sql.text) & RULE_PARAMETERS)
