"""Triggers that hold the rules inside the database, against ``queryset.update()`` and raw SQL too.

The bodies are functions of ``sql/guards.sql``. They are declared by django-pgtrigger, so that
``makemigrations`` notices a changed state table, but do not use its function template: that one lets
any role switch a trigger off by setting ``pgtrigger.ignore``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger
from django.db import models

from migration_runs.states import Transition


class Guard(pgtrigger.Trigger):
    """A trigger that executes ``function`` of ``sql/guards.sql`` and cannot be ignored."""

    when = pgtrigger.Before
    func = "RAISE EXCEPTION 'not used: the trigger executes a function of its own';"

    def __init__(
        self,
        *,
        name: str,
        function: str,
        operation: pgtrigger.Operation,
        arguments: Sequence[str] = (),
        level: pgtrigger.Level = pgtrigger.Row,
    ) -> None:
        if any("'" in argument for argument in arguments):
            raise ValueError("a guard's argument must not hold a quote")
        self.function = function
        self.arguments = tuple(str(argument) for argument in arguments)
        super().__init__(name=name, operation=operation, level=level)

    def render_execute(self, model: models.Model) -> str:  # noqa: ARG002 - as the base class has it
        """The call that the trigger makes, instead of pgtrigger's own function."""
        return f"{self.function}({', '.join(repr(argument) for argument in self.arguments)})"


def state_guard(transitions: tuple[Transition, ...], *, initial: str) -> Guard:
    """Refuses inserts in another state than ``initial``, and changes of ``state`` without an arrow."""
    arrows = sorted({f"{arrow.source}>{arrow.target}" for arrow in transitions})
    return Guard(
        name="state_guard",
        function="phasegate_guard_state",
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("state"),  # type: ignore[no-untyped-call]
        arguments=(initial, *arrows),
    )


def fixed_columns(*columns: str, while_state: str = "") -> Guard:
    """Refuses any change of ``columns``; with ``while_state``, only once the row has left that state."""
    return Guard(
        name=f"fixed_after_{while_state}" if while_state else "fixed_columns",
        function="phasegate_guard_fixed",
        operation=pgtrigger.Update,
        arguments=(while_state, *columns),
    )


def append_only(*void_columns: str) -> tuple[Guard, Guard]:
    """Refuses DELETE, TRUNCATE, and UPDATE of anything but ``void_columns``, which can be filled once."""
    return (
        Guard(
            name="append_only",
            function="phasegate_guard_append_only",
            operation=pgtrigger.Update | pgtrigger.Delete,
            arguments=void_columns,
        ),
        no_truncate(),
    )


def no_delete() -> tuple[Guard, Guard]:
    """Refuses DELETE and TRUNCATE."""
    return (
        Guard(name="no_delete", function="phasegate_guard_refuse", operation=pgtrigger.Delete),
        no_truncate(),
    )


def no_truncate() -> Guard:
    """Refuses TRUNCATE, through CASCADE too."""
    return Guard(
        name="no_truncate",
        function="phasegate_guard_refuse",
        operation=pgtrigger.Truncate,
        level=pgtrigger.Statement,
    )


def audit_chain() -> Guard:
    """Refuses an event that does not follow the last one, by number and by ``prev_hash``."""
    return Guard(name="audit_chain", function="phasegate_guard_audit_chain", operation=pgtrigger.Insert)
