"""Every verb that a person can use on a run: what it asks for, what it says, which service it calls.

The web pages and the command line both work from this table, so that they offer the same verbs under the
same names and neither knows a rule: rules are the services'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.contrib.auth.models import User

from migration_runs.services import runs, sign_offs, verification
from migration_runs.services.step_up import StepUp


@dataclass(frozen=True)
class Request:
    """What a person asks: who, how the panel knows them, on which run, and what they typed."""

    run_id: int
    person: User
    how: str
    phase: int | None = None
    gate: str | None = None
    role: str | None = None
    digest: str | None = None
    comment: str = ""
    typed_name: str = ""
    approve: bool = True
    values: Mapping[str, str] = field(default_factory=dict)
    step_up: StepUp | None = None


@dataclass(frozen=True)
class Verb:
    """A verb: how it reads, what it asks for, what happens, the service that does it, what is then ``done``.

    ``comment`` is the label of the text that it asks for (empty: none). ``step_up`` wants the password again.
    ``values`` asks for new values of the copy's settings.
    """

    name: str
    title: str
    button: str
    consequence: str
    perform: Callable[[Request], object]
    done: str
    comment: str = ""
    step_up: bool = False
    typed_name: bool = False
    danger: bool = False
    values: bool = False


def _digest(request: Request) -> str:
    assert request.digest is not None
    return request.digest


def _phase(request: Request) -> int:
    assert request.phase is not None
    return request.phase


MENU: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "submit", "Submit for approval", "Submit",
            "The plan is frozen and the approvals that the runbook names are asked for. Nothing is executed.",
            lambda r: runs.submit_run(r.run_id, person=r.person, how=r.how),
            done="Submitted: the approvers are asked.",
        ),
        Verb(
            "withdraw", "Withdraw the plan", "Withdraw",
            "The run becomes a draft again; approvals given so far no longer count.",
            lambda r: runs.withdraw_run(r.run_id, person=r.person, how=r.how, comment=r.comment),
            comment="Why",
            done="Withdrawn: the run is a draft again.",
        ),
        Verb(
            "send_back", "Send the plan back", "Send back",
            "The run becomes a draft again with your comment; approvals given so far no longer count.",
            lambda r: runs.send_back_run(r.run_id, person=r.person, how=r.how, comment=r.comment),
            comment="What has to change",
            done="Sent back: the run is a draft again.",
        ),
        Verb(
            "sign", "Sign", "Sign",
            "Your signature binds the plan's digest and the target. A person signs a gate once.",
            lambda r: sign_offs.sign(
                r.run_id, gate=r.gate, role=r.role or None, digest=_digest(r), approve=r.approve,
                comment=r.comment,
                step_up=r.step_up, person=r.person, how=r.how,
            ),
            comment="Comment", step_up=True,
            done="Signed.",
        ),
        Verb(
            "start", "Start the phase", "Start",
            "A worker begins with the first step. It can be paused, and rolled back, at any time.",
            lambda r: runs.start_phase(
                r.run_id, number=_phase(r), person=r.person, how=r.how, step_up=r.step_up
            ),
            done="Started: a worker begins with the first step.",
        ),
        Verb(
            "pause", "Pause the phase", "Pause after this chunk",
            "The worker stops after the chunk or step it is in. What is done stays done.",
            lambda r: runs.pause_phase(r.run_id, person=r.person, how=r.how, now=False, number=r.phase),
            done="Pausing: the worker stops after the chunk or step that it is in.",
        ),
        Verb(
            "pause_now", "Pause at once", "Pause now",
            "The statement that the worker is in is cancelled and rolled back; then it stops.",
            lambda r: runs.pause_phase(r.run_id, person=r.person, how=r.how, now=True, number=r.phase),
            done="Pausing at once.",
        ),
        Verb(
            "resume", "Resume", "Resume",
            "The run, or its paused phase, goes on from where it stopped.",
            lambda r: runs.resume_run(r.run_id, person=r.person, how=r.how, comment=r.comment),
            done="Resumed.",
        ),
        Verb(
            "hold", "Hold the run", "Hold run",
            "The running phase pauses, the next one cannot start; checks go on.",
            lambda r: runs.hold_run(r.run_id, person=r.person, how=r.how, reason=r.comment),
            comment="Why",
            done="On hold: nothing new starts.",
        ),
        Verb(
            "adjust", "Adjust the copy", "Adjust",
            "Every worker follows within seconds. The bounds are those of the signed plan.",
            lambda r: runs.adjust(
                r.run_id, values=r.values, comment=r.comment, person=r.person, how=r.how
            ),
            comment="Why", values=True,
            done="Adjusted: every worker follows within seconds.",
        ),
        Verb(
            "retry", "Retry", "Retry",
            "What failed is tried again; finished steps are kept.",
            lambda r: runs.retry_phase(r.run_id, person=r.person, how=r.how, number=r.phase),
            done="Trying again what failed.",
        ),
        Verb(
            "retry_rollback", "Retry the rollback", "Retry the rollback",
            "The undo that failed is tried again; what was undone stays undone.",
            lambda r: runs.retry_rollback(r.run_id, person=r.person, how=r.how),
            done="Trying the undo again.",
        ),
        Verb(
            "verify", "Verify now", "Verify now",
            "A worker compares source and target row by row, without locks that anybody waits for.",
            lambda r: verification.request(r.run_id, person=r.person, how=r.how),
            done="Asked for: a worker compares both tables.",
        ),
        Verb(
            "cancel", "Cancel the run", "Cancel run",
            "The run ends. Nothing was changed on the target.",
            lambda r: runs.cancel_run(r.run_id, person=r.person, how=r.how, comment=r.comment),
            comment="Why", danger=True,
            done="Cancelled. Nothing was changed on the target.",
        ),
        Verb(
            "seal", "Seal the run", "Seal",
            "The retention is over: the run's ledger on the target is given up and rollback ends for good.",
            lambda r: runs.seal_run(r.run_id, person=r.person, how=r.how),
            danger=True,
            done="Sealed: the ledger on the target is given up.",
        ),
        Verb(
            "roll_back", "Roll back", "Roll back",
            "Everything that was applied is undone, last first. Nothing that the application wrote is lost.",
            lambda r: runs.roll_back_run(
                r.run_id, typed_name=r.typed_name, step_up=r.step_up, person=r.person, how=r.how,
                reason=r.comment,
            ),
            comment="Why", step_up=True, typed_name=True, danger=True,
            done="Rolling back: phases are undone one by one, last first.",
        ),
    )
}  # fmt: skip
