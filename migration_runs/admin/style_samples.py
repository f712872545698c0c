"""Made-up runs, phases, steps and sign-offs for the style page: each state once, in the pages' own types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from migration_runs import phases
from migration_runs.phases import Role
from migration_runs.runbook.difference import Change, Line, Part
from migration_runs.selectors.gate_views import SignOffView
from migration_runs.selectors.phase_views import PhaseView, SqlView, StepView
from migration_runs.selectors.review_views import Before
from migration_runs.selectors.rollback_progress import RollbackProgress
from migration_runs.selectors.rollback_readiness import Point, RollbackReadiness
from migration_runs.selectors.run_views import NextStep
from migration_runs.selectors.start_views import (
    ComingView,
    FrontView,
    GoingView,
    GuideView,
    OpenItemView,
    ReadinessGroupView,
    ReadinessSummary,
    RollbackSummary,
    SignView,
    StartView,
    WaitingView,
    WrongView,
)
from migration_runs.selectors.trail_views import LogLineView
from migration_runs.services.offer import Action
from migration_runs.states import PhaseState, StepState

DIGEST = "9f3c1ae477b0" + "0" * 52
LONG = "a reason that is long enough to need more than one line on a phone, so that breaking it is seen"


@dataclass(frozen=True)
class SampleRun:
    """As much of a run as the partials of the style page ask for."""

    id: int
    name: str
    state: str
    target: str
    digest: str
    next: NextStep
    phases: tuple[PhaseView, ...]
    current: PhaseView
    sign_offs: tuple[SignOffView, ...]
    log: tuple[LogLineView, ...]
    rollback: RollbackReadiness | None = None
    rollback_progress: RollbackProgress | None = None
    only_back: bool = False


# None that acts at once: a button of this page leads to a page that asks.
ASKS = Action("sign", "Sign phase 4 as dba", allowed=True, needs_step_up=True)
DANGER = Action("cancel", "Cancel the run", allowed=True, asks_comment=True, danger=True)
LOCKED = Action("start", "Start phase 9: cleanup", allowed=False, why_not=f"Cleanup is locked: {LONG}.")
ACTIONS = (ASKS, DANGER, LOCKED)

SIGN_OFFS = ("given", "void", "refused", "next", "to_come", "locked")
SQL = "SELECT 1 -- a comment\n  FROM bars WHERE name = 'DXY';"
NEXT = (
    NextStep("run", "Next for you", "Sign phase 4: m.okafor (dba).", "Every step is done.", (ASKS,)),
    NextStep("ok", "Healthy", "Nothing to do. Next check 00:10:00 UTC.", "The window is whole at 09:20.", ()),
    NextStep("warn", "On hold by s.novak", "provider reports trouble", "Checks go on.", (LOCKED,)),
    NextStep(
        "bad", "Failed", "Phase 4 failed. Remove the cause and retry.", "Nothing is half done.", (ASKS,)
    ),
)


def run_at(now: datetime) -> SampleRun:
    """A run with a phase in every state and a step in every state."""
    steps = tuple(_step(place, state, now) for place, state in enumerate(StepState, 1))
    views = tuple(_phase(number, state, steps, now) for number, state in enumerate(PhaseState, 1))
    return SampleRun(
        id=1,
        name="dxy_1m-12",
        state="in_progress",
        target="bars",
        digest=DIGEST,
        next=NEXT[0],
        phases=views,
        current=views[2],
        sign_offs=tuple(_sign_off(state, now) for state in SIGN_OFFS),
        log=tuple(_line(place, level, now) for place, level in enumerate(("info", "warn", "error"), 1)),
    )


def _phase(number: int, state: PhaseState, steps: tuple[StepView, ...], now: datetime) -> PhaseView:
    fixed = phases.by_number((number - 1) % len(phases.PHASES) + 1)
    return PhaseView(
        number=number, key=fixed.key, title=fixed.title, purpose=fixed.purpose, state=state.value,
        locked=False, owner_role=fixed.owner, owner="m.okafor", planned_start=now, slot_end=now,
        planned=fixed.planned,
        started_at=None, finished_at=None, started_by="", signed_by=(), error="", kept="", next_step="",
        waiting="", worker="", worker_lost_s=None, fleet="", attempt=1, success=(), steps=steps,
    )  # fmt: skip


def _step(place: int, state: StepState, now: datetime) -> StepView:
    at_work = state in {StepState.RUNNING, StepState.UNDOING}
    return StepView(
        key=f"step_{place}", place=f"4.{place}", title=f"A step that is {state.value.replace('_', ' ')}",
        kind="copy", state=state.value, what="What it does.", why="Why it is needed.", locks="ROW EXCLUSIVE",
        timeout="lock 200 ms", undo="automatic", estimate=timedelta(seconds=20),
        sql=(SqlView("apply", "4_backfill/copy.sql", SQL),),
        started_at=now - timedelta(seconds=10) if at_work else None, done=9_250 if at_work else None,
        total=14_175 if at_work else None, unit="bars", note=LONG if state == StepState.RUNNING else "",
        note_since=now - timedelta(seconds=38), error=LONG if state == StepState.FAILED else "",
        summary="14,178 = 14,178" if state == StepState.DONE else "",
    )  # fmt: skip


def _sign_off(state: str, now: datetime) -> SignOffView:
    return SignOffView(
        gate="phase:4", gate_label="4 backfill", role=Role.DBA, person="m.okafor", state=state,
        at=now if state == "given" else None, why_void=LONG if state == "void" else "",
    )  # fmt: skip


def _line(place: int, level: str, now: datetime) -> LogLineView:
    return LogLineView(place, now, level, 4, "4", f"chunk {place} committed: 250 bars in 0.19 s; {LONG}")


def rollbacks_at(now: datetime) -> tuple[SampleRun, ...]:
    """Runs whose rollback is ready, is not, is under way, and is over."""
    run = run_at(now)
    holds = tuple(Point("given", text) for text in ("Backup written, restored once to prove it", LONG))
    undone = StepState.UNDONE, StepState.UNDONE, StepState.UNDOING, StepState.UNDO_FAILED, StepState.DONE
    under_way = tuple(_step(place, state, now) for place, state in enumerate(undone, 1))
    return (
        replace(run, rollback=RollbackReadiness(holds, ())),
        replace(run, rollback=RollbackReadiness((*holds, Point("warn", "No proven backup")), ())),
        replace(run, state="rolling_back", rollback_progress=RollbackProgress(under_way)),
        replace(run, state="rolled_back", rollback_progress=RollbackProgress(under_way[:2])),
    )


def changes() -> dict[str, Before]:
    """What differs from the last plan, one part of each kind."""
    lines = (
        Line("@", ""),
        Line(" ", "SELECT 1"),
        Line("-", "  FROM old"),
        Line("+", f"  FROM new -- {LONG}"),
    )
    parts = tuple(
        Part("step", f"4.{change}", f"A step that was {change}", change, lines) for change in get_args(Change)
    )
    return {"before": Before(DIGEST, "dxy_1m-11", own=False, parts=parts, words="3 parts differ")}


def start_at(now: datetime) -> StartView:
    """A start page on which every part has something."""
    tones = ("awaiting_sign_off", "ready", "waiting", "failed", "on_hold", "void", "open", "draft")
    health = (
        ("verify_clean", "equal"), ("on_hold", "hold"), ("failed", "failed"), ("worker_lost", "Worker lost"),
        ("waiting", "waits"),
    )  # fmt: skip
    return StartView(
        person="m.okafor",
        roles=("dba",),
        now=now,
        guide=GuideView("You are the dba", "You drive the run through its database work.", (), ()),
        reads=True,
        writes=True,
        signs=(
            SignView("pass", "Workers 2 at work"),
            SignView("pass", "Sweeper", now - timedelta(seconds=12)),
            SignView("fail", "No worker has reported for 4 min"),
        ),
        waiting=tuple(
            WaitingView("sign", tone, 1, f"Something {tone.replace('_', ' ')}", LONG, now, "Read and sign")
            for tone in tones
        ),
        going=tuple(
            GoingView(
                1, "dxy_1m-12", "bars", DIGEST, "4 backfill", place, len(health), place == 1,
                "9,250 of 14,175 bars", now, "at this rate", state, word,
            )
            for place, (state, word) in enumerate(health, 1)
        ),
        wrong=(
            WrongView("failed", 1, "dxy_1m-12 on bars: phase 4 failed", now, LONG, "Now phase 4 is done.", 1),
            WrongView("missed", 1, "dxy_1m-12 on bars: check missed", now, LONG, "Now it is on hold.", 2),
        ),
        front=FrontView(
            1, "dxy_1m-12", "bars", "in_progress",
            coming=(
                ComingView(now, "5 code switch", now, "j.tan", Role.ENGINEER, False, timedelta(minutes=30)),
                ComingView(now, "9 cleanup", now, "m.okafor", Role.DBA, True, timedelta(minutes=10)),
            ),
            pace="phase 4 began 2 min ahead of plan",
            readiness=ReadinessSummary(
                (
                    ReadinessGroupView("Approvers", 5, 5, "ticked", "complete"),
                    ReadinessGroupView("Day of", 6, 8, "waiting", "in progress"),
                    ReadinessGroupView("After", 0, 4, "to_come", "to come"),
                ),
                11, 17, (OpenItemView("New readers tested", "j.tan", Role.ENGINEER),),
            ),
            rollback=RollbackSummary(True, True, 9, 14_178, "delete"),
        ),
        any_run=True,
    )  # fmt: skip
