"""Who is at a phase: a worker with its lease, one that was lost, or nobody though somebody should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migration_runs.models import PhaseRun
from migration_runs.states import PHASE_WORKING


@dataclass(frozen=True)
class Hands:
    """``wanted``: the phase asks for a worker. ``leased``: one has it now. ``lost_s``: for how long the lease
    of the last one has been over, while nobody has taken over; None otherwise.
    """

    wanted: bool
    leased: bool
    lost_s: float | None

    @property
    def missing(self) -> bool:
        """Whether nobody is there though somebody should be."""
        return self.wanted and not self.leased


def hands_of(phase: PhaseRun, *, now: datetime) -> Hands:
    """``now`` is the control database's: leases are judged by its clock."""
    wanted = phase.state in PHASE_WORKING
    leased = bool(phase.lease_worker and phase.lease_until and phase.lease_until >= now)
    lost = None
    if wanted and phase.lease_worker and phase.lease_until and not leased:
        lost = (now - phase.lease_until).total_seconds()
    return Hands(wanted, leased, lost)


def lost_in_words(lost_s: float | None) -> str:
    """``Worker lost 14 s ago, resuming``; empty while nobody is lost."""
    return "" if lost_s is None else f"Worker lost {lost_s:.0f} s ago, resuming"
