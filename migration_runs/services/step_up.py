"""Step-up: proving again who one is, right before what cannot easily be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from migration_runs.exceptions import NotAllowed, StepUpNeeded
from migration_runs.services import audit, people, rules
from migration_runs.services.people import Actor


@dataclass(frozen=True)
class StepUp:
    """A proof of identity: whose, when, and how it was given. Made by :func:`prove` alone."""

    person_id: int
    at: datetime
    how: str


def prove(person: User, *, password: str) -> StepUp:
    """A fresh proof. Raises NotAllowed, told in the audit, if the password is wrong or the account off."""
    if not person.is_active or not check_password(password, person.password):
        with transaction.atomic():
            audit.append(
                actor=people.actor_of(person, how="password"),
                action="refused.step_up",
                object=person.get_username(),
                detail={"rule": "step-up", "reason": "wrong password, or the account is switched off"},
            )
        raise NotAllowed("That password is not right. Nothing was done.", rule="step-up")
    return StepUp(person_id=person.pk, at=timezone.now(), how="password")


def require(step_up: StepUp | None, *, actor: Actor, what: str) -> None:
    """Raises StepUpNeeded unless the proof is this person's own and not too old."""
    if step_up is None:
        raise StepUpNeeded(f"{what} asks for your password again.", rule="step-up")
    if actor.user is None or step_up.person_id != actor.user.pk:
        raise StepUpNeeded(
            f"{what} asks for your own password; the proof is somebody else's.", rule="step-up"
        )
    age = timezone.now() - step_up.at
    if not 0 <= age.total_seconds() <= rules.step_up_valid().total_seconds():
        minutes = rules.step_up_valid().total_seconds() / 60
        raise StepUpNeeded(
            f"{what}: the password was given more than {minutes:g} minutes ago. Give it again.",
            rule="step-up",
        )
