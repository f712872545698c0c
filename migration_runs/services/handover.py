"""The watch goes from hand to hand: notes, a card for a named person, and that person's word.

A card says who hands over to whom. Only the named person takes it; until then the watch stays where it was.
Taking it makes a holder of the role oncall the run's oncall. One card per run is open at a time; it is taken
or withdrawn.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Max

from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import Assignment, HandoverCard, HandoverNote
from migration_runs.phases import Role
from migration_runs.services import audit, clock, gates, notify, people, situation
from migration_runs.services.driving import HOLDERS, RESUMERS
from migration_runs.services.handover_facts import facts_of
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import RunState

GIVERS = RESUMERS
"""Who may hand a watch over, or take a card back: those who may resume what a check has held."""
WATCHERS = HOLDERS
"""Who may be given a watch, and write notes: everybody who may hold the run."""
WATCHED = frozenset({
    RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.ROLLING_BACK, RunState.COMPLETED,
})  # fmt: skip
NOTE_LENGTH = 2000


def open_card(at: Situation) -> HandoverCard | None:
    """The card that waits for its taker."""
    cards = at.run.handovers.filter(taken_at=None, withdrawn_at=None)
    return cards.select_related("giver", "taker").first()


def may_note(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed for who does not work on runs, IllegalMove where there is nothing to watch."""
    actor.require(WATCHERS, "Writing a note to the next shift")
    _watched(at)


def may_give(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed, or IllegalMove where there is nothing to watch or a card is open already."""
    actor.require(GIVERS, "Handing over the watch")
    _watched(at)
    card = open_card(at)
    if card is not None:
        raise IllegalMove(
            f"Handover {card.number} waits for {card.taker.get_username()}. Withdraw it first, or wait.",
            rule="handover",
        )


def may_withdraw(at: Situation, actor: Actor) -> HandoverCard:
    """The open card, if the actor may take it back. Raises NotAllowed or IllegalMove."""
    actor.require(GIVERS, "Withdrawing a handover")
    card = open_card(at)
    if card is None:
        raise IllegalMove(f"No handover of {at.run.name} is open.", rule="handover")
    return card


def may_take(at: Situation, actor: Actor, *, number: int) -> HandoverCard:
    """The open card ``number``, if it names the actor, who must still be one who may hold the run.

    Raises Refused for an unknown number, NotAllowed for anybody else, IllegalMove for a card that is over.
    """
    card = at.run.handovers.select_related("giver", "taker").filter(number=number).first()
    if card is None:
        raise Refused(f"{at.run.name} has no handover {number}.", rule="handover")
    if actor.user is None or card.taker_id != actor.user.pk:
        raise NotAllowed(
            f"Handover {number} is for {card.taker.get_username()}, and only the named person takes it. "
            "Withdraw it and name somebody else, if need be.",
            rule="handover",
        )
    actor.require(WATCHERS, "Taking over the watch")
    if card.taken_at is not None:
        raise IllegalMove(f"You took handover {number} at {card.taken_at:%H:%M:%S} UTC.", rule="state")
    if card.withdrawn_at is not None:
        by = card.withdrawn_by.get_username() if card.withdrawn_by else "somebody"
        raise IllegalMove(
            f"{by} withdrew handover {number} at {card.withdrawn_at:%H:%M:%S} UTC: {card.withdraw_reason}.",
            rule="state",
        )
    _watched(at)
    return card


def takers(actor: Actor) -> list[User]:
    """Active people to whom the actor may hand over, by name."""
    roles = [role.value for role in WATCHERS]
    found = User.objects.filter(is_active=True, groups__name__in=roles).distinct().order_by("username")
    return [person for person in found if actor.user is None or person.pk != actor.user.pk]


@verb("handover_note")
def write_note(run_id: int, *, text: str, person: User, how: str) -> HandoverNote:
    """Leave a note for whoever watches next. Raises NotAllowed, IllegalMove, or Refused for an empty one."""
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_note(at, actor)
    given = text.strip()
    if not given:
        raise Refused("A note needs words.", rule="handover")
    if len(given) > NOTE_LENGTH:
        raise Refused(f"A note has at most {NOTE_LENGTH} characters; this has {len(given)}.", rule="handover")
    note = HandoverNote.objects.create(run=at.run, person=person, text=given)
    audit.append(
        actor=actor, run=at.run, action="handover.note", object=at.run.name, detail={"comment": given}
    )
    return note


@verb("hand_over")
def hand_over(
    run_id: int,
    *,
    to: User,
    person: User,
    how: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> HandoverCard:
    """Write a card for the person who takes over; the watch stays with the giver until it is taken.

    Raises NotAllowed, IllegalMove, or Refused for somebody who cannot watch, and for a shift that ends before
    it begins.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_give(at, actor)
    _require_taker(to, giver=person)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise Refused("The shift would end before it begins.", rule="handover")
    last = at.run.handovers.aggregate(last=Max("number"))["last"] or 0
    card = HandoverCard.objects.create(
        run=at.run,
        number=last + 1,
        giver=person,
        taker=to,
        starts_at=starts_at,
        ends_at=ends_at,
        facts=[audit.plain(fact.as_json()) for fact in facts_of(at)],
        given_at=clock.database_now(),
    )
    audit.append(
        actor=actor,
        run=at.run,
        action="handover.give",
        object=f"{at.run.name} to {to.get_username()}",
        detail={"number": card.number, "starts": starts_at, "ends": ends_at, "facts": card.facts},
    )
    notify.watch_offered(at, taker=to, number=card.number, actor=actor)
    return card


@verb("take_over")
def take_over(
    run_id: int, *, number: int, person: User, how: str, read_notes: int | None = None
) -> HandoverCard:
    """The named person has read the card and has the watch from now on.

    ``read_notes`` is the id of the newest note that was on the page (0: none): one that came after it must
    be read first. Who has the role oncall becomes the run's oncall. Raises what :func:`may_take` raises, and
    Refused for a page that is too old.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    card = may_take(at, actor, number=number)
    newest = at.run.handover_notes.aggregate(last=Max("id"))["last"] or 0
    if read_notes is not None and newest > read_notes:
        raise Refused("A note was added since you opened the card. Read it, then take over.", rule="stale")
    card.taken_at = clock.database_now()
    card.save(update_fields=["taken_at"])
    becomes_oncall = Role.ONCALL in actor.roles
    audit.append(
        actor=actor,
        run=at.run,
        action="handover.take",
        object=f"{at.run.name} from {card.giver.get_username()}",
        detail={
            "number": number,
            "oncall": becomes_oncall,
            "read": [fact.as_json() for fact in facts_of(at)],
        },
    )
    if becomes_oncall and at.assigned.get(Role.ONCALL) != person.pk:
        Assignment.objects.update_or_create(run=at.run, role=Role.ONCALL.value, defaults={"person": person})
        audit.append(
            actor=actor,
            run=at.run,
            action="run.assign",
            object=at.run.name,
            detail={Role.ONCALL.value: person.get_username()},
        )
    return card


@verb("withdraw_handover")
def withdraw(run_id: int, *, reason: str, person: User, how: str) -> HandoverCard:
    """Take the open card back, with a reason: the watch stays where it is.

    Raises NotAllowed, IllegalMove, or Refused without a reason.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    card = may_withdraw(at, actor)
    if not reason.strip():
        raise Refused("Say why the handover is withdrawn: its taker will read it.", rule="comment")
    card.withdrawn_at = clock.database_now()
    card.withdrawn_by = person
    card.withdraw_reason = reason.strip()
    card.save(update_fields=["withdrawn_at", "withdrawn_by", "withdraw_reason"])
    audit.append(
        actor=actor,
        run=at.run,
        action="handover.withdraw",
        object=f"{at.run.name} to {card.taker.get_username()}",
        detail={"number": card.number, "reason": card.withdraw_reason},
    )
    return card


def _watched(at: Situation) -> None:
    if at.run.state not in WATCHED:
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}: there is nothing to watch.", rule="state"
        )


def _require_taker(person: User, *, giver: User) -> None:
    if person.pk == giver.pk:
        raise Refused("A watch is handed over to somebody else.", rule="handover")
    roles = people.actor_of(person, how="").roles
    if not roles.intersection(WATCHERS):
        names = ", ".join(role.value for role in WATCHERS)
        raise Refused(
            f"{person.get_username()} cannot watch a run: that takes an active account with one of the roles "
            f"{names}.",
            rule="handover",
        )
