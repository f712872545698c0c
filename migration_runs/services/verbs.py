"""What all verbs share: one transaction, and one audit event of its own for whatever is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import TransitionNotAllowed

from migration_runs.exceptions import IllegalMove, PhasegateError, Refused, RunbookInvalid
from migration_runs.models import Run
from migration_runs.services import audit, people

P = ParamSpec("P")
R = TypeVar("R")


def verb(action: str, *, atomic: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function with keyword arguments ``person`` and ``how`` (and the run's id first, if any) a verb.

    It runs in one transaction (``atomic`` false: it opens its own). If it refuses, everything it did is
    rolled back, one event ``refused`` is written in a transaction of its own, and the refusal goes on to the
    caller.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                if not atomic:
                    return function(*args, **kwargs)
                with transaction.atomic():
                    return function(*args, **kwargs)
            except (Refused, RunbookInvalid) as refusal:
                _record(refusal, action=action, run_id=args[0] if args else None, given=dict(kwargs))
                raise
            except TransitionNotAllowed as error:
                illegal = IllegalMove(
                    f"{action.replace('_', ' ')} is not possible now: {error}", rule="state"
                )
                _record(illegal, action=action, run_id=args[0] if args else None, given=dict(kwargs))
                raise illegal from error

        return wrapper

    return decorate


def _record(refusal: PhasegateError, *, action: str, run_id: Any, given: dict[str, Any]) -> None:
    """Passwords never get here: a step-up proof holds none, and no other argument is written."""
    run = Run.objects.filter(pk=run_id).first() if isinstance(run_id, int) else None
    person = cast(User, given.get("person") or given.get("author"))
    detail = {"reason": str(refusal), "rule": getattr(refusal, "rule", "") or type(refusal).__name__}
    detail |= {
        name: given[name] for name in ("number", "gate", "role", "item") if given.get(name) is not None
    }
    with transaction.atomic():
        audit.append(
            actor=people.actor_of(person, how=str(given["how"])),
            action=f"refused.{action}",
            object=run.name if run else str(run_id or "no run"),
            run=run,
            detail=detail,
        )
