"""The shift-handover card of a run: what is so now, who hands over to whom, notes, and earlier handovers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from migration_runs.exceptions import Refused
from migration_runs.models import HandoverCard, Run
from migration_runs.phases import Role
from migration_runs.services import handover, people
from migration_runs.services.handover_facts import Fact, facts_of
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation


@dataclass(frozen=True)
class NoteView:
    """A note from one shift to the next. ``new``: after the watch was last taken."""

    id: int
    by: str
    at: datetime
    text: str
    new: bool


@dataclass(frozen=True)
class CardView:
    """A handover: from whom to whom, and what became of it."""

    number: int
    giver: str
    taker: str
    starts_at: datetime | None
    ends_at: datetime | None
    given_at: datetime
    taken_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdraw_reason: str
    facts: tuple[Fact, ...]

    @property
    def state(self) -> str:
        """waits, taken or withdrawn."""
        if self.taken_at is not None:
            return "handover_taken"
        return "handover_waits" if self.withdrawn_at is None else "handover_withdrawn"


@dataclass(frozen=True)
class HandoverView:
    """The card as the reader may see and use it. ``why_not`` says why it cannot be handed over."""

    watcher: str
    oncall: str
    facts: tuple[Fact, ...]
    open: CardView | None
    last: CardView | None
    notes: tuple[NoteView, ...]
    history: tuple[CardView, ...]
    for_me: bool
    may_note: bool
    may_give: bool
    may_withdraw: bool
    why_not: str

    @property
    def newest_note(self) -> int:
        """The id of the newest note; 0 without one."""
        return max((note.id for note in self.notes), default=0)

    @property
    def new_notes(self) -> tuple[NoteView, ...]:
        """Notes since the watch was last taken, newest first."""
        return tuple(note for note in self.notes if note.new)


def handover_of(run_id: int, person: User) -> HandoverView:
    """The run's card. Raises Run.DoesNotExist. As many queries however many notes and cards there are."""
    at = Situation(Run.objects.get(pk=run_id))
    actor = people.actor_of(person, how="")
    rows = list(at.run.handovers.select_related("giver", "taker", "withdrawn_by").order_by("-number"))
    cards = [_card(row) for row in rows]
    waiting = next((card for card in cards if card.state == "handover_waits"), None)
    taken = next((card for card in cards if card.taken_at is not None), None)
    named = {row.role: row.person.username for row in at.run.assignments.select_related("person")}
    oncall = named.get(Role.ONCALL.value, "")
    mine = next((row for row in rows if waiting and row.number == waiting.number), None)

    def refusal(rule: Callable[[Situation, Actor], object]) -> str:
        try:
            rule(at, actor)
        except Refused as error:
            return str(error)
        return ""

    why_not = refusal(handover.may_give)
    return HandoverView(
        watcher=taken.taker if taken else oncall,
        oncall=oncall,
        facts=facts_of(at),
        open=waiting,
        last=taken,
        notes=tuple(
            NoteView(row.pk, row.person.username, row.at, row.text, taken is None or row.at > _taken(taken))
            for row in at.run.handover_notes.select_related("person").order_by("-id")
        ),
        history=tuple(card for card in cards if card.state != "handover_waits"),
        for_me=mine is not None and mine.taker_id == person.pk,
        may_note=not refusal(handover.may_note),
        may_give=not why_not,
        may_withdraw=waiting is not None and not refusal(handover.may_withdraw),
        why_not=why_not,
    )


def _taken(card: CardView) -> datetime:
    assert card.taken_at is not None
    return card.taken_at


def _card(row: HandoverCard) -> CardView:
    return CardView(
        number=row.number,
        giver=row.giver.username,
        taker=row.taker.username,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        given_at=row.given_at,
        taken_at=row.taken_at,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=row.withdrawn_by.username if row.withdrawn_by else "",
        withdraw_reason=row.withdraw_reason,
        facts=tuple(Fact.from_json(fact) for fact in row.facts),
    )
