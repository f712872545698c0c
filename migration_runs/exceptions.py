"""One tree of errors. The message is what a person reads; nothing of a secret may be in it.

``Refused`` (and what descends from it) means: asked for something that the rules forbid, nothing
was changed. ``EngineError`` means: work on the target stopped; what was kept is said in it.
"""

from __future__ import annotations

from dataclasses import dataclass


class PhasegateError(Exception):
    """Any error that Phasegate raises on purpose."""


class Refused(PhasegateError):
    """A request that the rules forbid. Nothing was changed. ``rule`` names the rule."""

    def __init__(self, message: str, *, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class NotAllowed(Refused):
    """The person lacks the role, or four-eyes forbid it."""


class IllegalMove(Refused):
    """The run or phase is not in a state from which this is possible."""


class StepUpNeeded(Refused):
    """The action wants the person to prove again who they are."""


class StalePlan(Refused):
    """The digest named by the request is not the run's current one."""


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a runbook, with its place."""

    path: str
    line: int
    message: str
    level: str = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.level}: {self.message}"


class RunbookInvalid(PhasegateError):
    """A runbook that must not become a plan. ``findings`` hold file, line and reason of each fault."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class EngineError(PhasegateError):
    """Work on the target stopped. ``kept`` says what stands, ``next_step`` what to do now."""

    def __init__(self, message: str, *, kept: str = "", next_step: str = "") -> None:
        super().__init__(message)
        self.kept = kept
        self.next_step = next_step


class StepFailed(EngineError):
    """A step's statement or assertion failed. The step's own transaction was rolled back."""


class TargetUnavailable(EngineError):
    """The target cannot be reached or refuses the log-in.

    ``passing`` says that this may end by itself, as a restart does; a wrong password does not.
    """

    passing = False


class Fenced(EngineError):
    """This worker's token is no longer the run's: another worker took over. Nothing was written."""


class LeaseLost(EngineError):
    """The control database says that the lease has gone to another worker."""


class StopRequested(EngineError):
    """Raised inside the engine to leave at a safe place because a person asked for it."""


class NotSent(PhasegateError):
    """A message to people did not leave. The text holds no address and nothing that a server answered.

    ``permanent``: trying again is no use. ``down``: neither would any other message of the channel leave now.
    """

    def __init__(self, message: str, *, permanent: bool = False, down: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.down = down
