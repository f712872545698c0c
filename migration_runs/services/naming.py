"""Naming a person for every role of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from django.contrib.auth.models import User

from migration_runs.exceptions import Refused
from migration_runs.models import Assignment, Run
from migration_runs.phases import Role
from migration_runs.services import audit, people
from migration_runs.services.people import Actor

Assignments = Mapping[Role, User] | Mapping[str, User]


def by_role(assignments: Assignments) -> dict[Role, User]:
    """The same by role. Raises Refused for a name that is no role."""
    return {people.role_named(role): person for role, person in assignments.items()}


def named(run: Run) -> dict[Role, User]:
    """The people named so far."""
    return {Role(row.role): row.person for row in run.assignments.select_related("person")}


def assign(run: Run, given: dict[Role, User], *, actor: Actor) -> None:
    """Name a person for every role, or raise Refused."""
    chosen = {role: _person_for(role, given.get(role), author=cast(User, actor.user)) for role in Role}
    for role, person in chosen.items():
        Assignment.objects.update_or_create(run=run, role=role.value, defaults={"person": person})
    audit.append(
        actor=actor,
        run=run,
        action="run.assign",
        object=run.name,
        detail={role.value: person.get_username() for role, person in chosen.items()},
    )


def _person_for(role: Role, given: User | None, *, author: User) -> User:
    having = people.holders(role)
    if given is not None:
        if given not in having:
            raise Refused(
                f"{given.get_username()} cannot be the run's {role.value}: not in that group.", rule="assign"
            )
        return given
    if role == Role.DBA and author in having:
        return author
    if len(having) == 1:
        return having[0]
    if not having:
        raise Refused(
            f"Nobody has the role {role.value}: add somebody to that group, then try again.", rule="assign"
        )
    names = ", ".join(person.get_username() for person in having)
    raise Refused(f"Name a person for the role {role.value}: {names} have it.", rule="assign")
