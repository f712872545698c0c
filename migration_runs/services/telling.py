"""How an event of a run becomes messages: whom it concerns, what each of them reads."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.contrib.auth.models import User

from migration_runs.models import Notification
from migration_runs.phases import Role
from migration_runs.services import outbox, people
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation

Kind = Notification.Kind
SUBJECT_LENGTH = 180
UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Characters that steer a terminal or turn a line around; names and reasons are typed by people."""


@dataclass
class Receiver:
    """Somebody who is told: in which roles, and what is wanted of them (nothing: they only should know)."""

    person: User
    roles: list[str] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)

    @property
    def named(self) -> str:
        """The account with its roles."""
        return f"{self.person.get_username()} ({', '.join(self.roles)})"


@dataclass(frozen=True)
class Event:
    """What happened, and whom it concerns.

    ``fact`` names it among all facts of the run. ``asked`` holds what is wanted of each role, ``informed``
    the roles that should know. In the roles ``not_author`` nothing can be asked of the run's author.
    """

    kind: Kind
    fact: str
    subject: str
    happened: str
    asked: Mapping[Role, str] = field(default_factory=dict)
    informed: tuple[Role, ...] = ()
    author: str | None = None
    """What is wanted of the author; empty: the author should know; None: need not."""
    named: User | None = None
    """Somebody who is asked by name, whatever their role; for what, says ``wanted``."""
    wanted: str = ""
    not_author: frozenset[Role] = frozenset()
    phase: int | None = None
    until: str = ""


def tell(at: Situation, event: Event, *, actor: Actor, informed: tuple[Kind, str] | None = None) -> None:
    """Write a message to everybody concerned. ``informed``: kind and subject for whom nothing is asked of."""
    receivers = _receivers(at, event, actor=actor)
    rows = []
    for receiver in receivers if outbox.sends_email() else ():
        others = [other.named for other in receivers if other is not receiver]
        kind, subject = (event.kind, event.subject) if receiver.wanted or not informed else informed
        row = _row(at, event, key=f"{Notification.EMAIL}:{receiver.person.pk}", kind=kind, subject=subject)
        row.channel, row.person, row.asks = Notification.EMAIL, receiver.person, bool(receiver.wanted)
        wanted = (
            f"What is wanted of you ({', '.join(receiver.roles)}): {' '.join(receiver.wanted)}"
            if receiver.wanted
            else "Nothing is wanted of you: this is to let you know."
        )
        told = f"Also told: {', '.join(others)}." if others else ""
        row.body = _body(at, event.happened, wanted, event.until, told)
        rows.append(row)
    for channel in outbox.channels({*event.asked, *event.informed}):
        row = _row(at, event, key=channel, kind=event.kind, subject=event.subject)
        row.channel, row.asks = channel, bool(event.asked or event.author or event.named)
        wanted = "\n".join(f"Wanted of {r.named}: {' '.join(r.wanted)}" for r in receivers if r.wanted)
        told = ", ".join(r.named for r in receivers if not r.wanted)
        row.body = _body(at, event.happened, wanted, event.until, f"Told: {told}." if told else "")
        rows.append(row)
    outbox.write(rows)


def _row(at: Situation, event: Event, *, key: str, kind: Kind, subject: str) -> Notification:
    return Notification(
        run=at.run,
        kind=kind,
        phase=event.phase,
        dedup_key=f"{at.run.pk}:{event.fact}:{key}",
        subject=one_line(subject)[:SUBJECT_LENGTH],
    )


def _receivers(at: Situation, event: Event, *, actor: Actor) -> list[Receiver]:
    """Everybody concerned once: first those of whom something is wanted, then those who should know."""
    found: dict[int, Receiver] = {}
    author = at.run.author
    for role, wanted in event.asked.items():
        for person in _people(at, role, without=author if role in event.not_author else None):
            receiver = found.setdefault(person.pk, Receiver(person))
            receiver.roles.append(role.value)
            if wanted not in receiver.wanted:
                receiver.wanted.append(wanted)
    if event.named is not None and event.named.is_active:
        receiver = found.setdefault(event.named.pk, Receiver(event.named))
        receiver.roles.append("by name")
        receiver.wanted.append(event.wanted)
    if event.author and author.is_active:
        receiver = found.setdefault(author.pk, Receiver(author))
        receiver.roles.append("author")
        receiver.wanted.append(event.author)
    knowing = [(role.value, person) for role in event.informed for person in _people(at, role)]
    if event.author == "" and author.is_active:
        knowing.append(("author", author))
    watcher = at.watcher
    if watcher is not None and watcher.is_active and Role.ONCALL in {*event.asked, *event.informed}:
        knowing.append(("on watch", watcher))
    for name, person in knowing:
        if actor.user is not None and person.pk == actor.user.pk and person.pk not in found:
            continue
        receiver = found.setdefault(person.pk, Receiver(person))
        if name not in receiver.roles:
            receiver.roles.append(name)
    return list(found.values())


def _people(at: Situation, role: Role, *, without: User | None = None) -> list[User]:
    """The person named for the role, if the account still has it; else everybody who has it."""
    having = [person for person in people.holders(role) if person != without]
    named = [person for person in having if person.pk == at.assigned.get(role)]
    return named or having


def _body(at: Situation, *parts: str) -> str:
    run = at.run
    about = f"Run {run.name} on target {run.target}, plan {run.plan_id[:12]}, by {run.author.get_username()}."
    return "\n\n".join(plain(part) for part in (*parts, about) if part)


def plain(text: str) -> str:
    """The text without characters that are not seen, but with its line ends."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in UNSEEN)


def one_line(text: str) -> str:
    """The same in one line: a line end in a subject would begin another header."""
    return " ".join("".join(" " if unicodedata.category(c) in UNSEEN else c for c in text).split())
