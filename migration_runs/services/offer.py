"""What a person is offered to do: a verb, whether it is allowed now, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from migration_runs.phases import Role


@dataclass(frozen=True)
class Action:
    """A verb that a person might use now. ``why_not`` says what opens it when it is not allowed."""

    verb: str
    label: str
    allowed: bool
    why_not: str = ""
    phase: int | None = None
    gate: str | None = None
    role: Role | None = None
    needs_step_up: bool = False
    asks_comment: bool = False
    danger: bool = False
