"""Where a run stands, read once for all the rules that ask."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from django.contrib.auth.models import User
from django.db import connection

from migration_runs import phases
from migration_runs.exceptions import Refused
from migration_runs.models import (
    DueCheck,
    MonitoringWindow,
    PhaseRun,
    ReadinessTick,
    Run,
    SignOff,
    StepRun,
    VerificationReport,
)
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import clock, people, plan_store
from migration_runs.states import PHASE_WORKING, PhaseState


class Situation:
    """A run with what belongs to it, each part read on first use and then kept.

    For one transaction or one page.
    """

    def __init__(self, run: Run, *, locked: bool = False, read_at: datetime | None = None) -> None:
        self.run = run
        self._locked = locked
        self._read_at = read_at

    def now(self) -> datetime:
        """The control database's time: of this moment, or of when a page read all its runs at once."""
        return self._read_at or clock.database_now()

    @cached_property
    def plan(self) -> Plan:
        """The run's plan."""
        return plan_store.plan_of(self.run.plan_id)

    @cached_property
    def phases(self) -> dict[int, PhaseRun]:
        """The nine phases by number; locked when the run was."""
        rows = self.run.phases.order_by("number")
        if self._locked:
            rows = rows.select_for_update(no_key=True)
        return {phase.number: phase for phase in rows}

    @cached_property
    def sign_offs(self) -> list[SignOff]:
        """Signatures and refusals that are not void, oldest first."""
        return list(self.run.sign_offs.filter(void_at=None).select_related("person").order_by("at", "id"))

    @cached_property
    def signer_roles(self) -> dict[int, frozenset[Role]]:
        """For everybody who signed, by id: the roles held now; none for an account that is switched off."""
        ids = {sign_off.person_id for sign_off in self.sign_offs}
        signers = User.objects.filter(pk__in=ids, is_active=True).prefetch_related("groups")
        return {
            person.pk: frozenset(Role(g.name) for g in person.groups.all() if g.name in people.ROLE_NAMES)
            for person in signers
        }

    @cached_property
    def assigned(self) -> dict[Role, int]:
        """The id of the person named for each role."""
        return {Role(row.role): row.person_id for row in self.run.assignments.all()}

    @cached_property
    def watcher(self) -> User | None:
        """Who took the watch last, by reading the handover card; None while nobody has."""
        card = self.run.handovers.exclude(taken_at=None).select_related("taker").order_by("-number").first()
        return card.taker if card is not None else None

    @cached_property
    def ticks(self) -> dict[str, ReadinessTick]:
        """Ticks of the readiness checklist that count, by item."""
        return {tick.item: tick for tick in self.run.ticks.filter(void_at=None)}

    @cached_property
    def steps(self) -> list[StepRun]:
        """Every step of every phase, with its phase."""
        return list(StepRun.objects.filter(phase__run=self.run).select_related("phase"))

    @cached_property
    def window(self) -> MonitoringWindow | None:
        """The newest monitoring window."""
        return self.run.windows.order_by("-number").first()

    @cached_property
    def due_checks(self) -> list[DueCheck]:
        """The checks of the newest window."""
        return list(self.window.checks.all()) if self.window else []

    @cached_property
    def verification(self) -> VerificationReport | None:
        """The newest full report of the live verification."""
        return self._newest(VerificationReport.Kind.FULL)

    @cached_property
    def look(self) -> VerificationReport | None:
        """The newest look at what was touched."""
        return self._newest(VerificationReport.Kind.TOUCHED)

    def _newest(self, kind: str) -> VerificationReport | None:
        return self.run.verifications.filter(kind=kind).order_by("-id").first()

    @property
    def working(self) -> list[PhaseRun]:
        """Phases that a worker is, or should be, busy with."""
        return [phase for phase in self.phases.values() if phase.state in PHASE_WORKING]

    @property
    def current(self) -> PhaseRun | None:
        """The phase that is started and not over; None between phases. There is at most one."""
        idle = {PhaseState.PENDING, PhaseState.READY, PhaseState.DONE, PhaseState.UNDONE}
        return next((phase for phase in self.phases.values() if phase.state not in idle), None)

    def phase(self, number: int) -> PhaseRun:
        """The phase with this number. Raises Refused for a number that is not 1 to 9."""
        try:
            return self.phases[number]
        except KeyError:
            raise Refused(
                f"There is no phase {number}; phases are 1 to {len(phases.PHASES)}.", rule="phase"
            ) from None


def lock(run_id: int) -> Situation:
    """The run, locked until the transaction ends; its phases are locked when first asked for.

    Everything that locks a run and its phases does so in this order. The lock leaves room for foreign keys,
    so that a worker can write log lines meanwhile. Raises Refused for an unknown run.
    """
    run = Run.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if run is None:
        raise _unknown(run_id)
    return Situation(run, locked=True)


def look(run_id: int) -> Situation:
    """The run as it stands now, not locked. Raises Refused for an unknown run."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise _unknown(run_id)
    return Situation(run)


def lock_tables(alias: str) -> None:
    """Let nobody else claim tables of the target ``alias`` until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"phasegate tables of {alias}"]
        )


def _unknown(run_id: int) -> Refused:
    return Refused(f"There is no run {run_id}. `manage.py run list` shows those that are.", rule="run")
