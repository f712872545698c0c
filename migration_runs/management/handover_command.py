"""``run handover``: the shift-handover card in a terminal, by the web's own services."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User

from migration_runs.selectors.handover import HandoverView
from migration_runs.services import handover, people

HELP = "the shift-handover card: read it, leave a note, hand over, take over, withdraw"


def add_arguments(command: ArgumentParser) -> None:
    """Without an option the card is shown; otherwise one thing is done, and then it is shown."""
    what = command.add_mutually_exclusive_group()
    what.add_argument("--note", metavar="TEXT", help="leave a note for the next shift")
    what.add_argument("--to", metavar="USER", help="hand the watch over to this person")
    what.add_argument("--take", type=int, metavar="NUMBER", help="take over: you have read card NUMBER")
    what.add_argument("--withdraw", metavar="REASON", help="take the open card back")


def act(run_id: int, options: dict[str, Any], *, person: User, how: str) -> None:
    """Do what was asked, if anything was. Raises Refused."""
    if options["note"] is not None:
        handover.write_note(run_id, text=options["note"], person=person, how=how)
    elif options["to"] is not None:
        handover.hand_over(run_id, to=people.account_named(options["to"]), person=person, how=how)
    elif options["take"] is not None:
        handover.take_over(run_id, number=options["take"], person=person, how=how)
    elif options["withdraw"] is not None:
        handover.withdraw(run_id, reason=options["withdraw"], person=person, how=how)


def changes(options: dict[str, Any]) -> bool:
    """Whether more is asked than to read the card."""
    return any(options[name] is not None for name in ("note", "to", "take", "withdraw"))


def as_text(view: HandoverView) -> str:
    """The card for people."""
    if view.open is not None:
        card = view.open
        head = f"handover {card.number}: {card.giver} to {card.taker}, waits for {card.taker}"
    else:
        head = f"no handover is open; the watch is with {view.watcher or 'nobody yet'}"
    lines = [head]
    for fact in view.facts:
        lines.append(f"{fact.label}:")
        lines += [f"  {line}" for line in fact.lines]
    if view.notes:
        lines.append("Notes:")
        lines += [f"  {note.at:%a %H:%M} UTC {note.by}: {note.text}" for note in view.notes]
    return "\n".join(lines)


def as_json(view: HandoverView) -> dict[str, Any]:
    """The card for programs."""
    return asdict(view)
