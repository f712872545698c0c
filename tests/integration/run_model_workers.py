"""The other half of the model: what workers, checks and the verification tell, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.run_model import Model
from tests.integration.run_model_parts import CLEANUP, MONITORING, Phase, Window


@dataclass
class FullModel(Model):
    """A run with its workers."""

    def claim(self, number: int) -> bool:
        """A worker asks for the lease."""
        phase = self.phases[number]
        if phase.state not in {"running", "pausing", "undoing"} or phase.lease == "held":
            return False
        self.token += 1
        phase.token, phase.lease = self.token, "held"
        return True

    def outcome(self, number: int, status: str, waiting: str) -> None:
        """The worker with the newest token tells how its turn ended; without its lease that is old news."""
        phase = self.phases[number]
        if not phase.lease:
            return
        phase.lease, phase.waiting = "", waiting if status == "waiting" else ""
        if phase.state == "undoing":
            phase.state = {"finished": "undone", "failed": "undo_failed"}.get(status, "undoing")
        elif status == "finished":
            self._finished(number, phase)
        elif status == "failed":
            phase.state = "failed"
        elif phase.state == "pausing":
            phase.state = "paused"
        elif phase.waiting == "window":
            self._open_window()
        self._go_on()

    def _finished(self, number: int, phase: Phase) -> None:
        if number == MONITORING:
            if self.window is None or not self.window.whole:
                if phase.state == "pausing":
                    phase.state = "paused"
                else:
                    self._open_window()
                return
            self.window.end = self.window.end or "whole"
        phase.state = "awaiting_sign_off"

    def _open_window(self) -> None:
        if self.window is None or self.window.end:
            self.window, self.verified = Window(), None

    def check(self, verdict: str) -> None:
        """A check of the newest window has a result: ``pass``, ``fail``, or ``missed``."""
        if self.window is not None and not self.window.end:
            self.window.pending -= 1
        if verdict != "pass":
            if self.window is not None:
                self.window.bad = True
            self._break_window()
            self._hold()

    def report(self, *, clean: bool) -> None:
        """The verification has compared both sides."""
        self.verified = clean
        begun = self.phases[MONITORING].state in {"running", "pausing", "paused", "awaiting_sign_off", "done"}
        if not clean and begun and self.phases[CLEANUP].state in {"pending", "ready"}:
            if self.watched:
                self._break_window()
            self._hold()
