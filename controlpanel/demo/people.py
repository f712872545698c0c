"""The demo's people: one per role, and an administrator who can sign nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db import transaction

from migration_runs.phases import Role


@dataclass(frozen=True)
class Person:
    """An account of the demo and the one role that it has; None: the administrator."""

    username: str
    role: Role | None
    does: str


PEOPLE: tuple[Person, ...] = (
    Person("a.lindqvist", Role.APPROVER, "reads and approves plans, approves cleanup"),
    Person("m.okafor", Role.DBA, "wrote the plan, drives phases 1 to 4 and 9"),
    Person("j.tan", Role.ENGINEER, "phases 5 and 6"),
    Person("r.costa", Role.DEVOPS, "phase 7"),
    Person("s.novak", Role.ONCALL, "phase 8, may hold and roll back"),
    Person("e.mori", Role.AUDITOR, "reads everything, changes nothing"),
    Person("admin", None, "administrator of accounts, signs nothing"),
)


def username(role: Role) -> str:
    """The account that has this role."""
    return next(person.username for person in PEOPLE if person.role == role)


def ensure_people(password: str) -> None:
    """Make the accounts, or give those that exist this password again. Other accounts are left alone."""
    with transaction.atomic():
        for person in PEOPLE:
            user, _ = User.objects.get_or_create(username=person.username)
            user.is_staff = True
            user.email = user.email or f"{person.username}@demo.invalid"
            user.is_superuser = person.role is None
            user.set_password(password)
            user.save()
            user.groups.set([] if person.role is None else [Group.objects.get(name=person.role)])
