"""Test messages: sent past the outbox by somebody who sets the channels up, and told in the audit trail."""

from __future__ import annotations

from django.contrib.auth.models import User

from migration_runs.services import audit, outbox, people
from migration_runs.services.verbs import verb

SUBJECT = "Test message of Phasegate"


def text(person: User) -> str:
    """What the receiver of a test reads."""
    return (
        f"{person.get_username()} tests whether messages of Phasegate arrive. This one has.\n\n"
        "Nothing is wanted of you.\n"
    )


@verb("notify_test")
def announce(*, receiver: str, person: User, how: str) -> None:
    """Note that somebody sends a test message. Raises NotAllowed for who could not have one sent again."""
    actor = people.actor_of(person, how=how)
    outbox.require_retrier(actor, "Sending a test message")
    audit.append(actor=actor, action="notify.test", object=receiver)
