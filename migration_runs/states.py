"""Run and phase states, and every legal move between them with its reason.

This module is the only source: the state machines on the models, the database triggers that
refuse illegal moves (from ``queryset.update()`` and raw SQL too) and the diagrams in the docs
are all made from ``RUN_TRANSITIONS`` and ``PHASE_TRANSITIONS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    DRAFT = "draft"  # being written by its author; nothing signed
    AWAITING_APPROVAL = "awaiting_approval"  # plan frozen, signatures are collected
    APPROVED = "approved"  # every required approval given; nothing has run yet
    IN_PROGRESS = "in_progress"  # phases are being driven
    ON_HOLD = "on_hold"  # nothing new starts, the running phase pauses, checks go on
    COMPLETED = "completed"  # all nine phases done; rollback still possible
    SEALED = "sealed"  # retention over; the target's ledger was given up
    CANCELLED = "cancelled"  # ended before it changed anything
    ROLLING_BACK = "rolling_back"  # phases are being undone, last first
    ROLLED_BACK = "rolled_back"  # everything that was applied has been undone


class PhaseState(StrEnum):
    """Where a phase of a run stands."""

    PENDING = "pending"  # an earlier phase is not done
    READY = "ready"  # may be started by its owner
    RUNNING = "running"  # a worker executes it, or it waits for a person, a window or statistics
    PAUSING = "pausing"  # a pause was asked for; the worker looks between chunks and steps
    PAUSED = "paused"  # the worker stopped at a safe place
    AWAITING_SIGN_OFF = "awaiting_sign_off"  # every step done; signatures are collected
    DONE = "done"  # signed off
    FAILED = "failed"  # a step failed or a signature was refused; retry or roll back
    UNDOING = "undoing"  # its steps are being undone, last first
    UNDONE = "undone"  # everything it applied has been undone
    UNDO_FAILED = "undo_failed"  # an undo failed; retry the rollback


class StepState(StrEnum):
    """Where a step of a phase stands. Not a gate: written by the worker that holds the lease."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"  # for a person, a window or statistics
    DONE = "done"
    SKIPPED = "skipped"  # nothing to do: a repair whose assertion holds
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


# Runs that still own their target table: a second run on the same table is refused.
RUN_ACTIVE = frozenset({
    RunState.AWAITING_APPROVAL, RunState.APPROVED, RunState.IN_PROGRESS, RunState.ON_HOLD, RunState.COMPLETED,
    RunState.ROLLING_BACK,
})  # fmt: skip
RUN_FINAL = frozenset({RunState.SEALED, RunState.CANCELLED, RunState.ROLLED_BACK})

# Runs of which no phase is started any more, though they have not come to the end of their plan.
ONLY_BACK = frozenset({RunState.ROLLING_BACK, RunState.ROLLED_BACK, RunState.CANCELLED})

# Phases that a worker should be busy with: what the sweeper looks for.
PHASE_WORKING = frozenset({PhaseState.RUNNING, PhaseState.PAUSING, PhaseState.UNDOING})
PHASE_STOPPED = frozenset({PhaseState.PAUSED, PhaseState.FAILED, PhaseState.UNDO_FAILED})


@dataclass(frozen=True)
class Transition:
    """One legal move: from where, to where, by which verb, and why it exists."""

    source: str
    target: str
    verb: str
    reason: str


def _each(sources: tuple[str, ...], target: str, verb: str, reason: str) -> tuple[Transition, ...]:
    return tuple(Transition(source, target, verb, reason) for source in sources)


R, P = RunState, PhaseState

RUN_TRANSITIONS: tuple[Transition, ...] = (
    Transition(R.DRAFT, R.AWAITING_APPROVAL, "submit", "the author freezes the plan and asks for signatures"),
    Transition(R.AWAITING_APPROVAL, R.DRAFT, "send_back", "an approver refuses, or the author withdraws"),
    Transition(R.AWAITING_APPROVAL, R.APPROVED, "approve", "the last required approval was given"),
    Transition(R.APPROVED, R.AWAITING_APPROVAL, "void_approval", "an approval became void before the start"),
    Transition(R.APPROVED, R.IN_PROGRESS, "start", "the dba starts phase 1"),
    Transition(
        R.IN_PROGRESS, R.ON_HOLD, "hold", "a person, a failed or missed check, or a void sign-off holds it"
    ),
    Transition(R.ON_HOLD, R.IN_PROGRESS, "resume", "a person says that the cause of the hold is gone"),
    Transition(R.IN_PROGRESS, R.COMPLETED, "complete", "phase 9 was signed"),
    Transition(R.COMPLETED, R.SEALED, "seal", "the retention has passed and an approver seals it"),
    *_each(
        (R.DRAFT, R.AWAITING_APPROVAL, R.APPROVED), R.CANCELLED, "cancel", "given up before anything changed"
    ),
    *_each(
        (R.APPROVED, R.IN_PROGRESS, R.ON_HOLD, R.COMPLETED), R.ROLLING_BACK, "roll_back",
        "a person asked to undo what was applied",
    ),
    Transition(R.ROLLING_BACK, R.ROLLED_BACK, "finish_rollback", "every applied phase was undone"),
)  # fmt: skip

PHASE_TRANSITIONS: tuple[Transition, ...] = (
    Transition(P.PENDING, P.READY, "make_ready", "the phase before it is done, or the run started"),
    Transition(P.READY, P.RUNNING, "start", "its owner starts it"),
    Transition(P.RUNNING, P.AWAITING_SIGN_OFF, "finish", "every step is done"),
    Transition(P.AWAITING_SIGN_OFF, P.DONE, "sign", "the last required signature was given"),
    *_each(
        (P.RUNNING, P.AWAITING_SIGN_OFF, P.PAUSING, P.PAUSED), P.FAILED, "fail",
        "a step failed or a signature was refused",
    ),
    Transition(P.FAILED, P.RUNNING, "retry", "a person tries again; finished steps are kept"),
    Transition(P.RUNNING, P.PAUSING, "pause", "a pause or a hold was asked for"),
    Transition(P.PAUSING, P.PAUSED, "reach_pause", "the worker stopped at a safe place"),
    Transition(P.PAUSING, P.AWAITING_SIGN_OFF, "finish", "its last step ended before the pause was seen"),
    Transition(P.PAUSED, P.RUNNING, "resume", "a person resumes it"),
    *_each((P.DONE, P.FAILED, P.PAUSED, P.AWAITING_SIGN_OFF), P.UNDOING, "undo", "the run is rolled back"),
    Transition(P.UNDOING, P.UNDONE, "finish_undo", "everything it applied was undone"),
    Transition(P.UNDOING, P.UNDO_FAILED, "fail_undo", "an undo step failed; what was undone so far is kept"),
    Transition(P.UNDO_FAILED, P.UNDOING, "undo", "a person retries the rollback"),
)  # fmt: skip


def may_move(transitions: tuple[Transition, ...], source: str, target: str) -> bool:
    """Whether the table has an arrow from ``source`` to ``target``."""
    return any(arrow.source == source and arrow.target == target for arrow in transitions)
