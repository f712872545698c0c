"""What pages show of signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migration_runs.phases import Role
from migration_runs.services.offer import Action


@dataclass(frozen=True)
class SignOffView:
    """One required signature: given, void, refused, next, to come or locked.

    ``action`` is the signing that is offered to the person who looks, once the gate is open.
    """

    gate: str
    gate_label: str
    role: Role
    person: str
    state: str
    at: datetime | None = None
    comment: str = ""
    why_void: str = ""
    action: Action | None = None
