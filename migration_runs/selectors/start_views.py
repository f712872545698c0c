"""What the start page shows: what waits for the person who looks, what runs, what went wrong, what comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from migration_runs.phases import Role
from migration_runs.services.offer import Action


@dataclass(frozen=True)
class SignView:
    """A fact about the panel itself, good or not: ``state`` is a state's key."""

    state: str
    text: str
    since: datetime | None = None


@dataclass(frozen=True)
class WaitingView:
    """Something that waits for the person who looks, with the button that leads to it.

    ``kind`` is the verb; ``tone`` a state's key, for icon and colour. ``id`` is the run's. Without an action
    the button leads to the page on which the person gives a word: the run's, or its checklist.
    """

    kind: str
    tone: str
    id: int
    headline: str
    text: str
    since: datetime | None
    button: str
    action: Action | None = None


@dataclass(frozen=True)
class GoingView:
    """A run that is under way: its phase, how far, until when, and how it is.

    ``ends_word`` stands where no time can be said, or says what the time is.
    """

    id: int
    name: str
    target: str
    digest: str
    phase: str
    done: int
    total: int
    complete: bool
    words: str
    ends_at: datetime | None
    ends_word: str
    health: str
    health_word: str


@dataclass(frozen=True)
class ComingView:
    """A phase that is still to come."""

    starts_at: datetime
    phase: str
    slot_end: datetime
    owner: str
    role: Role
    yours: bool
    planned: timedelta


@dataclass(frozen=True)
class WrongView:
    """Something that went wrong, what was kept, and where it stands now."""

    state: str
    run_id: int
    headline: str
    at: datetime
    text: str
    now: str
    seq: int


@dataclass(frozen=True)
class OpenItemView:
    """A line of the checklist that is not ticked, and whose it is."""

    text: str
    person: str
    role: Role


@dataclass(frozen=True)
class ReadinessGroupView:
    """A group of the checklist."""

    title: str
    ticked: int
    total: int
    state: str
    word: str


@dataclass(frozen=True)
class ReadinessSummary:
    """The checklist of the run in front, in short. ``missing`` are open lines of groups that are due."""

    groups: tuple[ReadinessGroupView, ...]
    ticked: int
    total: int
    missing: tuple[OpenItemView, ...]


@dataclass(frozen=True)
class RollbackSummary:
    """What a rollback of the run in front would be about, as far as the panel knows without the target."""

    possible: bool
    yours: bool
    steps: int
    rows: int
    data_decision: str


@dataclass(frozen=True)
class FrontView:
    """The run in front: the one that the rest of the page is about."""

    id: int
    name: str
    target: str
    state: str
    coming: tuple[ComingView, ...]
    pace: str
    readiness: ReadinessSummary | None
    rollback: RollbackSummary


@dataclass(frozen=True)
class LinkView:
    """A link of the guide: a page of the run in front (``run_id``), or of the panel."""

    text: str
    page: str
    run_id: int | None = None


@dataclass(frozen=True)
class GuideView:
    """Who the person is here: what they own, may and may not do, and what to read."""

    title: str
    text: str
    start: tuple[LinkView, ...]
    then: tuple[LinkView, ...]


@dataclass(frozen=True)
class StartView:
    """The start page. ``left_out`` is how many open runs were too many to look at."""

    person: str
    roles: tuple[str, ...]
    now: datetime
    guide: GuideView
    reads: bool
    writes: bool
    signs: tuple[SignView, ...] = ()
    waiting: tuple[WaitingView, ...] = ()
    going: tuple[GoingView, ...] = ()
    wrong: tuple[WrongView, ...] = ()
    front: FrontView | None = None
    not_begun: int = 0
    left_out: int = 0
    any_run: bool = False
