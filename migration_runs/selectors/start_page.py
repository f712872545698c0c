"""The start page: a constant number of queries, however many runs, steps and events there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Case, IntegerField, Q, When

from migration_runs.models import Run, SignOff
from migration_runs.phases import Role
from migration_runs.selectors.front_run import front_run, front_view
from migration_runs.selectors.going_on import GOING, front_of, going
from migration_runs.selectors.guide import guide
from migration_runs.selectors.start_views import SignView, StartView, WaitingView
from migration_runs.selectors.steps_in_front import StepsInFront, steps_in_front
from migration_runs.selectors.waiting import Looking, most_urgent_first, waiting_for
from migration_runs.selectors.went_wrong import went_wrong
from migration_runs.services import fleet, people, plans, rules, situations
from migration_runs.services.fleet import Signs
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.states import RunState

LOOKED_AT = 40
"""Runs whose rules are asked. A target has few tables under migration at once; drafts may be many."""
NOT_BEGUN = (RunState.DRAFT, RunState.AWAITING_APPROVAL, RunState.APPROVED)


def start_view(person: User) -> StartView:
    """The start page as ``person`` may see it. Who may not read runs learns of none."""
    reads = person.has_perm("migration_runs.view_run")
    everybody = people.everybody(how="")
    me = everybody.get(person.pk) or Actor(name=person.get_username(), how="", user=person)
    signs = fleet.signs()
    if not reads:
        return _for_strangers(person, me, signs.now)
    runs, left_out = _open_runs(person, signs.now)
    by_id = situations.read(runs, everybody=everybody, now=signs.now)
    steps = steps_in_front(phase for at in by_id.values() if (phase := front_of(at)) is not None)
    waiting = _waiting(me, by_id, everybody, steps)
    front_id = front_run(waiting, by_id, me)
    front = front_view(by_id[front_id], me, everybody, now=signs.now) if front_id is not None else None
    under_way = [at for at in by_id.values() if at.run.state in GOING]
    return StartView(
        person=me.name,
        roles=tuple(role.value for role in Role if role in me.roles),
        now=signs.now,
        guide=guide(
            me.roles,
            superuser=person.is_superuser,
            front=front_id,
            wrote_front=front_id is not None and by_id[front_id].run.author_id == person.pk,
            administrators=(),
        ),
        reads=True,
        writes=bool(me.roles.intersection(plans.AUTHORS)),
        signs=_panel_signs(signs, under_way),
        waiting=waiting,
        going=tuple(going(at, steps, signs) for at in under_way),
        wrong=went_wrong(signs.now),
        front=front,
        not_begun=sum(at.run.state in NOT_BEGUN for at in by_id.values()),
        left_out=left_out,
        any_run=bool(runs) or Run.objects.exists(),
    )


def _for_strangers(person: User, me: Actor, now: datetime) -> StartView:
    admins = User.objects.filter(is_active=True, is_superuser=True).order_by("username")
    names = tuple(admins.values_list("username", flat=True)[:3])
    shown = guide(
        frozenset(), superuser=person.is_superuser, front=None, wrote_front=False, administrators=names
    )
    return StartView(person=me.name, roles=(), now=now, guide=shown, reads=False, writes=False)


def _open_runs(person: User, now: datetime) -> tuple[list[Run], int]:
    """Runs about which there is something to do or to see, those under way first; and how many are left out.

    Drafts are their authors' own affair; a completed run comes back when it may be sealed.
    """
    wanted = (
        Q(state__in=[*GOING, RunState.AWAITING_APPROVAL, RunState.APPROVED])
        | Q(state=RunState.DRAFT, author=person)
        | Q(state=RunState.COMPLETED, seal_after__lte=now)
    )
    under_way_first = Case(When(state__in=GOING, then=0), default=1, output_field=IntegerField())
    found = list(
        Run.objects.filter(wanted)
        .select_related("author", "held_by")
        .order_by(under_way_first, "-id")[: LOOKED_AT + 1]
    )
    if len(found) <= LOOKED_AT:
        return found, 0
    return found[:LOOKED_AT], Run.objects.filter(wanted).count() - LOOKED_AT


def _waiting(
    me: Actor, runs: Mapping[int, Situation], everybody: Mapping[int, Actor], steps: StepsInFront
) -> tuple[WaitingView, ...]:
    if not me.roles:
        return ()
    voided = _voided(runs)
    found = [
        item
        for run_id, at in runs.items()
        for item in waiting_for(Looking(at, me, everybody, steps, tuple(voided.get(run_id, ()))))
    ]
    return tuple(sorted(found, key=most_urgent_first))


def _voided(runs: Iterable[int]) -> dict[int, list[SignOff]]:
    """Signatures that became void, newest first, by run."""
    found: dict[int, list[SignOff]] = {}
    rows = SignOff.objects.filter(run__in=list(runs)).exclude(void_at=None).filter(approved=True)
    for row in rows.order_by("-void_at"):
        found.setdefault(row.run_id, []).append(row)
    return found


def _panel_signs(signs: Signs, under_way: Iterable[Situation]) -> tuple[SignView, ...]:
    """What the panel knows of itself: whether workers are there, and how many runs they are at."""
    silence = signs.silence
    if silence:
        wanted = any(at.working for at in under_way)
        return (SignView("fail" if wanted else "warn", silence.rstrip(".")),)
    at_work = f"{signs.at_work} at work" if signs.at_work else "idle"
    late = signs.swept_at is None or signs.now - signs.swept_at > rules.silent_after()
    sweeper = "Sweeper" if signs.swept_at else "Sweeper not heard of"
    return (
        SignView("pass", f"Workers {at_work}"),
        SignView("warn" if late else "pass", sweeper, signs.swept_at),
    )
