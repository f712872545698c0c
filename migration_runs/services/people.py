"""Who asks: a person with roles, or a worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User

from migration_runs.exceptions import NotAllowed, Refused
from migration_runs.phases import Role

ROLE_NAMES = frozenset(role.value for role in Role)


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, how the panel knows it (``web``, ``cli``, ``worker`` …), and with which roles."""

    name: str
    how: str
    user: User | None = None
    roles: frozenset[Role] = frozenset()

    def require(self, roles: Iterable[Role], what: str) -> None:
        """Raises NotAllowed unless the actor holds one of ``roles``. Being a superuser is not a role."""
        wanted = tuple(roles)
        if not self.roles.intersection(wanted):
            names = " or ".join(role.value for role in wanted)
            raise NotAllowed(
                f"{what} is for the role {names}; {self.name} {_holds(self.roles)}. "
                f"Ask somebody with that role, or an administrator for membership.",
                rule="role",
            )


def actor_of(person: User, *, how: str) -> Actor:
    """The person with the roles that count now. An account that is switched off has none. One query."""
    roles = roles_of(person) if person.is_active else frozenset()
    return Actor(name=person.get_username(), how=how, user=person, roles=roles)


def worker_actor(name: str = "worker") -> Actor:
    """A worker, the sweeper or another process of the panel, acting without a person."""
    return Actor(name=name or "worker", how="worker")


def roles_of(person: User) -> frozenset[Role]:
    """The roles that the person's groups give."""
    names = person.groups.filter(name__in=ROLE_NAMES).values_list("name", flat=True)
    return frozenset(Role(name) for name in names)


def everybody(*, how: str) -> dict[int, Actor]:
    """Every active person who has a role, by id, with the roles that count now. Two queries."""
    having = User.objects.filter(is_active=True, groups__name__in=ROLE_NAMES).distinct()
    found = {}
    for person in having.prefetch_related("groups"):
        roles = frozenset(Role(group.name) for group in person.groups.all() if group.name in ROLE_NAMES)
        found[person.pk] = Actor(name=person.get_username(), how=how, user=person, roles=roles)
    return found


def role_named(name: str) -> Role:
    """The role of that name. Raises Refused for any other."""
    try:
        return Role(name)
    except ValueError:
        known = ", ".join(sorted(ROLE_NAMES))
        raise Refused(f"There is no role '{name}'; roles are {known}.", rule="role") from None


def named(username: str) -> User:
    """The active account of that name. Raises Refused where there is none."""
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise Refused(f"There is no active account '{username}'.", rule="person")
    return person


def holders(role: Role) -> list[User]:
    """Active people with the role, by name."""
    return list(User.objects.filter(is_active=True, groups__name=role.value).order_by("username"))


def account_named(name: str) -> User:
    """The active account of this name. Raises Refused for any other."""
    person = User.objects.filter(username=name, is_active=True).first()
    if person is None:
        raise Refused(f"There is no active account '{name}'.", rule="account")
    return person


def _holds(roles: frozenset[Role]) -> str:
    if not roles:
        return "has no role"
    return "is " + ", ".join(sorted(role.value for role in roles))
