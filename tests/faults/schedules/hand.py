"""The hand that strikes: a thread that watches the run, strikes as a schedule says, and makes good again."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psycopg
from django.db import connections

from migration_runs.exceptions import Refused
from tests.faults.driver import OUTAGE
from tests.faults.invariants import RESUME_WITHIN_S
from tests.faults.moments import Hold, control_dsn, door
from tests.faults.schedules.schedule import Gesture, Schedule, Strike, When
from tests.faults.schedules.striking import TOUCHES, gesture, strike
from tests.faults.world import Stage

LOOK_EVERY_S = 0.02
AT_REST = {"completed", "rolled_back"}
NOT_BEGUN = {"pending", "ready"}
UNDOING = {"undoing", "undone", "undo_failed"}

STANDING = """
SELECT r.state, p.number, p.state,
       (SELECT count(*) FROM migration_runs_auditevent AS e WHERE e.run_id = r.id),
       (SELECT count(*) FROM migration_runs_steprun AS s
                        JOIN migration_runs_phaserun AS o ON o.id = s.phase_id
         WHERE o.run_id = r.id AND s.state IN ('done', 'undone', 'skipped'))
  FROM migration_runs_run AS r JOIN migration_runs_phaserun AS p ON p.run_id = r.id
 WHERE r.id = %s ORDER BY p.number
"""


@dataclass
class Ongoing:
    """Something that has to be ended: a fault, or a person's wish to stop."""

    name: str
    touches: frozenset[str]
    until: float
    end: Callable[[], None]


@dataclass
class ClosedDoor:
    """A door of the small world that is closed until its strike has happened, and for a while after it."""

    hold: Hold
    when: When
    until: float = float("inf")


class Hand:
    """Carries out a schedule's faults and gestures while the ``with`` block lasts.

    ``injected`` is the faults that really hit something. ``stalled`` says, once it is so, that the run has
    not gone on for longer than a lease and a minute though nothing was in its way. Leaving the block ends
    everything that still lasts; an error in the thread is raised there.
    """

    def __init__(self, stage: Stage, schedule: Schedule) -> None:
        self.injected: list[str] = []
        self.stopped_by_people = 0
        self.stalled = ""
        self.longest_s = 0.0
        self._stage = stage
        self._chance = random.Random(f"{schedule.seed} the hand")
        self._left: list[Strike | Gesture] = [*schedule.strikes, *schedule.gestures]
        self._seen: dict[tuple[int, str], float] = {}
        self._ongoing: list[Ongoing] = []
        self._doors: dict[str, ClosedDoor] = {}
        self._acting = False
        self._standing: list[Any] = []
        self._moved = time.monotonic()
        self._leaving = threading.Event()
        self._error = ""
        self._conn: psycopg.Connection[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="hand", daemon=True)

    def given_up(self) -> str:
        """Why the run need not be waited for any longer, or ''."""
        return self._error or self.stalled

    @property
    def busy(self) -> bool:
        """Whether anything is in the run's way now: people wait with their help until it is over."""
        return bool(self._ongoing) or self._acting

    def __enter__(self) -> Self:
        for one in self._left:
            if isinstance(one, Strike) and one.door:
                self._doors[one.door] = ClosedDoor(door(self._stage, one.door), one.when)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()
        if kind is None and self._error:
            raise AssertionError(self._error)

    # -- the thread

    def _run(self) -> None:
        try:
            while not self._leaving.wait(LOOK_EVERY_S):
                self._end_what_is_over()
                if not self._look():
                    continue
                for one in [one for one in self._left if self._is_time(one.when)]:
                    self._left.remove(one)
                    self._act(one)
        except Exception:  # noqa: BLE001 - told where the block is left: threads have nobody to raise to
            self._error = f"the hand failed: {traceback.format_exc()}"
        finally:
            self._make_good()
            for closed in self._doors.values():
                closed.hold.let_go()
            if self._conn is not None:
                self._conn.close()
            connections.close_all()

    def _make_good(self) -> None:
        for one in list(self._ongoing):
            try:
                self._end(one)
            except Exception:  # noqa: BLE001 - as above; the others still have to be made good
                self._error = f"{one.name} could not be made good: {traceback.format_exc()}"

    def _look(self) -> bool:
        """See where the run stands; whether it could be seen and is not over."""
        try:
            if self._conn is None or self._conn.closed:
                self._conn = psycopg.connect(control_dsn(self._stage), autocommit=True, connect_timeout=5)
            rows = self._conn.execute(STANDING, [self._stage.world.run_id]).fetchall()
        except psycopg.OperationalError:
            if self._conn is not None:
                self._conn.close()
            return False
        now = time.monotonic()
        if rows != self._standing or self._ongoing or self._behind_a_door():
            self._standing, self._moved = rows, now
        still_s = now - self._moved
        self.longest_s = max(self.longest_s, still_s)
        if still_s > RESUME_WITHIN_S and not self.stalled:
            self.stalled = f"nothing was in the run's way, and it did not go on for {still_s:.0f} s"
        for _, number, state, *_ in rows:
            if state in UNDOING:
                self._seen.setdefault((number, "undoing"), now)
            elif state not in NOT_BEGUN:
                self._seen.setdefault((number, "working"), now)
        return bool(rows) and rows[0][0] not in AT_REST

    def _behind_a_door(self) -> bool:
        return any((one.when.phase, one.when.moment) in self._seen for one in self._doors.values())

    def _is_time(self, when: When) -> bool:
        seen = self._seen.get((when.phase, when.moment))
        return seen is not None and time.monotonic() >= seen + when.delay

    def _act(self, one: Strike | Gesture) -> None:
        self._acting = True
        connections.close_all()  # a crash since the last act may have broken this thread's
        try:
            if isinstance(one, Strike):
                self._strike(one)
            else:
                self._gesture(one)
        finally:
            self._moved = time.monotonic()
            self._acting = False

    def _strike(self, one: Strike) -> None:
        touches = TOUCHES[one.fault]
        for other in [other for other in self._ongoing if other.touches & touches]:
            self._end(other)
        cure = strike(self._stage, one.fault, self._chance)
        now = time.monotonic()
        if one.door:
            self._doors[one.door].until = now + one.opens
        if cure is None:
            return
        self.injected.append(one.fault)
        self._ongoing.append(Ongoing(one.fault, touches, now + one.lasts, cure.end))

    def _gesture(self, one: Gesture) -> None:
        with contextlib.suppress(Refused, *OUTAGE):  # too early, too late, or nobody answered
            gesture(self._stage, one.verb)
            self.stopped_by_people += 1
            until = time.monotonic() + one.lasts
            self._ongoing.append(Ongoing(one.verb, frozenset(), until, lambda: None))

    def _end_what_is_over(self) -> None:
        for one in [one for one in self._ongoing if one.until <= time.monotonic()]:
            self._end(one)
        for name, closed in list(self._doors.items()):
            if closed.until <= time.monotonic():
                self._doors.pop(name).hold.let_go()

    def _end(self, one: Ongoing) -> None:
        self._ongoing.remove(one)
        self._acting = True
        try:
            one.end()
        finally:
            self._moved = time.monotonic()
            self._acting = False
