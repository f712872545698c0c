"""Lessons learned: added by whoever worked on the run, never changed, also after it is over."""

from __future__ import annotations

from django.contrib.auth.models import User

from migration_runs.exceptions import Refused
from migration_runs.models import Lesson
from migration_runs.phases import Role
from migration_runs.services import audit, people, situation
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb

WRITERS = tuple(role for role in Role if role != Role.AUDITOR)
"""An auditor reads everything and changes nothing."""

LONGEST = 4_000


def may_write(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed for whoever has no role that works on runs."""
    actor.require(WRITERS, f"Writing down what was learned from {at.run.name}")


@verb("write_lesson")
def write_lesson(run_id: int, *, text: str, person: User, how: str) -> Lesson:
    """Add a lesson to the run, in any of its states. Raises NotAllowed, or Refused for no text or too
    much.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_write(at, actor)
    said = text.strip()
    if not said or "\x00" in said:
        raise Refused("Write the lesson first: there is no text in it.", rule="lesson")
    if len(said) > LONGEST:
        raise Refused(
            f"A lesson has up to {LONGEST:,} characters; this one has {len(said):,}. Nothing was kept.",
            rule="lesson",
        )
    row = Lesson.objects.create(run=at.run, person=person, text=said)
    audit.append(actor=actor, run=at.run, action="lesson.write", object=at.run.name, detail={"lesson": said})
    return row
