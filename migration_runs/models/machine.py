"""From the transition table to state-machine methods."""

from __future__ import annotations

import functools
from typing import Any

from django.db import models
from django_fsm import FSMField

from migration_runs.states import Transition


def moves(transitions: tuple[Transition, ...], verb: str) -> dict[str, Any]:
    """The ``source`` and ``target`` arguments of django_fsm's ``transition`` for a verb of the table.

    Raises ValueError for a verb that is not in the table or that leads to more than one state.
    """
    arrows = [arrow for arrow in transitions if arrow.verb == verb]
    targets = {arrow.target for arrow in arrows}
    if len(targets) != 1:
        raise ValueError(f"the table has {len(targets)} targets for {verb!r}")
    return {"source": [str(arrow.source) for arrow in arrows], "target": str(targets.pop())}


class ProtectedState(models.Model):
    """A model whose protected state can be re-read, and to whose rows others may refer while they are saved.

    Django assigns each field on ``refresh_from_db``, which a protected field refuses; django-fsm's own
    mixin lifts the protection for the whole process while it does so, which threads would see.
    """

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save a row that exists without naming its key columns, which never change.

        PostgreSQL locks a row that has BEFORE triggers by the columns that an UPDATE names: with a key column
        among them FOR UPDATE, for which whoever inserts a row that refers to it waits, up to a deadlock.
        """
        if not self._state.adding and kwargs.get("update_fields") is None and not kwargs.get("force_insert"):
            keys = _key_fields(type(self))
            kwargs["update_fields"] = [f.name for f in self._meta.concrete_fields if f.name not in keys]
        super().save(*args, **kwargs)

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Any = None,  # noqa: ARG002 - as Django calls it
        from_queryset: Any = None,
    ) -> None:
        """Re-read the whole row, relations included. ``fields`` is accepted and ignored."""
        rows = from_queryset
        if rows is None:
            rows = type(self)._base_manager.using(using or self._state.db)
        fresh = rows.get(pk=self.pk)
        self.__dict__.clear()
        self.__dict__.update(fresh.__dict__)


@functools.cache
def _key_fields(model: type[models.Model]) -> frozenset[str]:
    """Fields of unique indexes that a foreign key could refer to: whole ones, the primary key's included."""
    alone = {field.name for field in model._meta.concrete_fields if field.unique}
    together = {name for constraint in model._meta.total_unique_constraints for name in constraint.fields}
    return frozenset(alone | together)


def state_field(states: type[Any], *, default: str) -> Any:
    """A protected FSM field over the values of an enum: only transition methods change it."""
    choices = [(str(value), str(value)) for value in states]
    return FSMField(max_length=20, default=str(default), protected=True, choices=choices)
