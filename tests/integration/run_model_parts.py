"""The parts of the model of a run: who is who, a phase, a window."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = {
    "ada": {"approver"}, "dora": {"dba"}, "emil": {"engineer"}, "devi": {"devops"}, "olga": {"oncall"},
    "udo": {"auditor"}, "mia": {"devops", "engineer"}, "root": set[str](),
}  # fmt: skip
AUTHOR = "dora"
OWNER = {
    1: "dba", 2: "dba", 3: "dba", 4: "dba", 5: "engineer", 6: "engineer", 7: "devops", 8: "oncall", 9: "dba",
}  # fmt: skip
SIGNERS: dict[str, tuple[str, ...]] = {
    "plan": ("approver", "engineer"), "start:9": ("approver",),
    "phase:4": ("dba", "approver"), "phase:7": ("engineer",), "phase:9": ("approver",),
} | {f"phase:{n}": (OWNER[n],) for n in (1, 2, 3, 5, 6, 8)}  # fmt: skip
WORKERS_OF_THE_RUN = {"approver", "dba", "engineer", "devops", "oncall"}
UNDOABLE = {"done", "failed", "paused", "awaiting_sign_off"}
BUSY = {"running", "pausing", "undoing", "undo_failed"}
MONITORING, CLEANUP, CONFIRMED = 8, 9, 5
ROUNDS = 2


@dataclass
class Phase:
    """A phase: ``lease`` is ``""``, ``held`` or ``lost``."""

    state: str = "pending"
    lease: str = ""
    token: int = 0
    waiting: str = ""
    starter: str = ""


@dataclass
class Window:
    """A monitoring window; ``end`` is ``""`` while it is open, then ``whole`` or ``broken``."""

    pending: int = ROUNDS
    bad: bool = False
    end: str = ""

    @property
    def whole(self) -> bool:
        """Every check has a result and none is bad."""
        return self.end != "broken" and not self.bad and not self.pending
