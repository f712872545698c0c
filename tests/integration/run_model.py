"""What a run must do, said a second time in plain Python: the judge of the state machine's test.

Written from the rules in words, not from ``migration_runs.states`` or the services: who may do what in which
state, and what follows. A method named like a verb answers whether it is allowed, and if so has happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.integration.run_model_parts import (
    AUTHOR,
    BUSY,
    CLEANUP,
    CONFIRMED,
    MONITORING,
    OWNER,
    ROLES,
    SIGNERS,
    UNDOABLE,
    WORKERS_OF_THE_RUN,
    Phase,
    Window,
)


@dataclass
class Model:
    """A run as it ought to be. ``voided``: looking again at signatures has had consequences."""

    state: str = "draft"
    phases: dict[int, Phase] = field(default_factory=lambda: {n: Phase() for n in range(1, 10)})
    signed: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    roles: dict[str, set[str]] = field(
        default_factory=lambda: {name: set(has) for name, has in ROLES.items()}
    )
    token: int = 0
    window: Window | None = None
    verified: bool | None = None
    confirmed: set[bool] = field(default_factory=set)
    retained: bool = True
    voided: bool = False

    # -- what several rules ask

    @property
    def current(self) -> int | None:
        """The phase that is started and not over."""
        idle = {"pending", "ready", "done", "undone"}
        return next((n for n, phase in self.phases.items() if phase.state not in idle), None)

    @property
    def watched(self) -> bool:
        """Whether checks are made."""
        here = self.state in {"in_progress", "on_hold"}
        return here and self.phases[MONITORING].state in {"running", "pausing", "paused"}

    def missing(self, gate: str) -> list[str]:
        """Roles that have not signed, or whose signer is none any more."""
        counting = {role for role, who in self.signed.get(gate, []) if role in self.roles[who]}
        return [role for role in SIGNERS[gate] if role not in counting]

    def has(self, who: str, roles: Iterable[str]) -> bool:
        """Whether the person has one of the roles now."""
        return bool(self.roles[who] & set(roles))

    def is_open(self, gate: str) -> bool:
        """Whether signatures are taken."""
        if gate == "plan":
            return self.state == "awaiting_approval" or (self.state == "on_hold" and bool(self.missing(gate)))
        wanted = "ready" if gate.startswith("start") else "awaiting_sign_off"
        return self.state == "in_progress" and self.phases[int(gate[-1])].state == wanted

    # -- before the start

    def submit(self, who: str) -> bool:
        if who != AUTHOR or self.state != "draft":
            return False
        self.state = "awaiting_approval"
        return True

    def withdraw(self, who: str) -> bool:
        if who != AUTHOR or self.state != "awaiting_approval":
            return False
        self.signed.pop("plan", None)
        self.state = "draft"
        return True

    def cancel(self, who: str) -> bool:
        early = self.state in {"draft", "awaiting_approval", "approved"}
        if not early or not self.has(who, {"approver", "dba"}):
            return False
        self.state = "cancelled"
        return True

    def sign(
        self, who: str, gate: str, *, approve: bool = True, comment: str = "", whole: bool = True
    ) -> bool:
        """``whole``: with a fresh proof of who signs, and the digest of the plan as it is."""
        if gate not in SIGNERS or not self.is_open(gate) or not self.has(who, SIGNERS[gate]):
            return False
        before = [signer for _, signer in self.signed.get(gate, [])]
        if who in before or (who == AUTHOR and not gate.startswith("phase")):
            return False
        left = self.missing(gate)
        mine = [role for role in left if role in self.roles[who]]
        if not mine or not (whole if approve else comment):
            return False
        number = None if gate == "plan" else int(gate[-1])
        alone = number is not None and {*before, self.phases[number].starter} <= {who}
        if gate in {"phase:7", "phase:9"} and len(left) <= 1 and alone:
            return False
        self.signed[gate] = [one for one in self.signed.get(gate, []) if one[0] in self.roles[one[1]]]
        if approve:
            self.signed.setdefault(gate, []).append((mine[0], who))
            self._opened(gate, number)
        else:
            self._turned_down(gate, number)
        return True

    def _opened(self, gate: str, number: int | None) -> None:
        if self.missing(gate):
            return
        if number is None:
            self.state = "approved" if self.state == "awaiting_approval" else self.state
        elif gate.startswith("phase"):
            self.phases[number].state = "done"
            if number < CLEANUP:
                self.phases[number + 1].state = "ready"
            else:
                self.state = "completed"

    def _turned_down(self, gate: str, number: int | None) -> None:
        self.signed.pop(gate, None)
        if number is None:
            self.state = "draft" if self.state == "awaiting_approval" else self.state
        elif gate.startswith("start"):
            self._hold()
        else:
            self.phases[number].state = "failed"

    # -- driving

    def start(self, who: str, number: int, *, proof: bool = True) -> bool:
        if number not in self.phases:
            return False
        self._look_again_at_signatures()
        phase = self.phases[number]
        if not self.has(who, {OWNER[number]}) or self.state == "on_hold":
            return False
        begin = number == 1 and self.state == "approved" and phase.state == "pending"
        if not begin and not (self.state == "in_progress" and phase.state == "ready"):
            return False
        if number == CLEANUP and (not self._healthy() or self.missing("start:9")):
            return False
        if number in {7, CLEANUP} and not proof:
            return False
        self.state, phase.state, phase.starter = "in_progress", "running", who
        return True

    def _healthy(self) -> bool:
        return self.window is not None and self.window.whole and self.verified is True

    def _look_again_at_signatures(self) -> None:
        if self.state not in {"awaiting_approval", "approved", "in_progress", "on_hold"}:
            return
        for gate, given in self.signed.items():
            state = "" if gate == "plan" else self.phases[int(gate[-1])].state
            matters = {"p": "awaiting_sign_off", "s": "pending ready"}[gate[0]] if gate != "plan" else ""
            if state not in matters.split(" "):
                continue
            for role, who in [one for one in given if one[0] not in self.roles[one[1]]]:
                given.remove((role, who))
                self.voided = True
        if self.voided and self.missing("plan"):
            if self.state == "approved":
                self.state = "awaiting_approval"
            self._hold()

    def pause(self, who: str, *, now: bool = False) -> bool:
        if not self.has(who, WORKERS_OF_THE_RUN) or self.current is None or self.state == "rolling_back":
            return False
        phase = self.phases[self.current]
        if phase.state == "running":
            self._ask_pause(phase)
            return True
        return now and phase.state == "pausing"

    def _ask_pause(self, phase: Phase) -> None:
        phase.state = "pausing" if phase.lease else "paused"

    def _hold(self) -> None:
        if self.state == "in_progress":
            self.state = "on_hold"
            for phase in self.phases.values():
                if phase.state == "running":
                    self._ask_pause(phase)

    def hold(self, who: str, *, reason: str = "a look") -> bool:
        if not self.has(who, WORKERS_OF_THE_RUN) or self.state != "in_progress" or not reason:
            return False
        self._hold()
        return True

    def resume(self, who: str) -> bool:
        phase = self.phases[self.current] if self.current else None
        owner = {OWNER[self.current]} if self.current else set()
        if not self.has(who, {"approver", "dba", "oncall"} | owner):
            return False
        stopped = phase is not None and phase.state == "paused"
        if self.state == "on_hold":
            if self.missing("plan") or (phase is not None and phase.state == "pausing"):
                return False
        elif self.state != "in_progress" or not stopped:
            return False
        self.state = "in_progress"
        if phase is not None and stopped:
            phase.state, phase.waiting = "running", ""
        return True

    def retry(self, who: str) -> bool:
        if self.state == "rolling_back":
            return self.retry_rollback(who)
        number = self.current
        if number is None or self.phases[number].state != "failed" or self.state != "in_progress":
            return False
        if not self.has(who, {OWNER[number], "dba"}):
            return False
        self.signed.pop(f"phase:{number}", None)
        self.phases[number].state, self.phases[number].waiting = "running", ""
        return True

    def confirm(self, who: str, evidence: str) -> bool:
        phase = self.phases[CONFIRMED]
        undo = phase.state == "undoing"
        asked = phase.waiting == "confirmation" and phase.state in {"running", "pausing", "paused", "undoing"}
        if not self.has(who, {"engineer"}) or not asked or len(evidence) < 3 or undo in self.confirmed:
            return False
        self.confirmed.add(undo)
        return True

    def verify(self, who: str) -> bool:
        copied = self.phases[4].state in {"awaiting_sign_off", "done"}
        whole = self.state in {"in_progress", "on_hold"} and self.phases[CLEANUP].state in {
            "pending",
            "ready",
        }
        return copied and whole and self.has(who, WORKERS_OF_THE_RUN)

    def seal(self, who: str) -> bool:
        if not self.has(who, {"approver"}) or self.state != "completed" or self.retained:
            return False
        self.state = "sealed"
        return True

    # -- rolling back

    def roll_back(self, who: str, *, proof: bool = True, name: bool = True) -> bool:
        can = self.state in {"approved", "in_progress", "on_hold", "completed"} and proof and name
        if not self.has(who, {"approver", "dba", "oncall"}) or not can:
            return False
        self.state = "rolling_back"
        self._break_window()
        for phase in self.phases.values():
            if phase.state == "running":
                self._ask_pause(phase)
        self._go_on()
        return True

    def retry_rollback(self, who: str) -> bool:
        failed = [phase for phase in self.phases.values() if phase.state == "undo_failed"]
        if not self.has(who, {"approver", "dba", "oncall"}) or self.state != "rolling_back" or not failed:
            return False
        failed[0].state, failed[0].waiting = "undoing", ""
        return True

    def _go_on(self) -> None:
        if self.state != "rolling_back" or any(phase.state in BUSY for phase in self.phases.values()):
            return
        last = next((p for p in reversed(self.phases.values()) if p.state in UNDOABLE), None)
        if last is None:
            self.state = "rolled_back"
        else:
            last.state, last.waiting = "undoing", ""

    def _break_window(self) -> None:
        if self.window is not None and not self.window.end:
            self.window.end = "broken"
