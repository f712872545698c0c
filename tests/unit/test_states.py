"""The transition table, the state machines made from it, and the drawings made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db.models import Model

from migration_runs import state_diagrams
from migration_runs.models import PhaseRun, Run
from migration_runs.states import (
    PHASE_STOPPED,
    PHASE_TRANSITIONS,
    PHASE_WORKING,
    RUN_ACTIVE,
    RUN_FINAL,
    RUN_TRANSITIONS,
    PhaseState,
    RunState,
    Transition,
    may_move,
)

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "state-machines.md"
MACHINES = [(Run, RUN_TRANSITIONS, "draft"), (PhaseRun, PHASE_TRANSITIONS, "pending")]


@pytest.mark.parametrize(("model", "table", "initial"), MACHINES)
def test_state_machine_has_exactly_the_arrows_of_the_table(
    model: type[Model], table: tuple[Transition, ...], initial: str
) -> None:
    field = model._meta.get_field("state")
    found = {(arrow.source, arrow.name, arrow.target) for arrow in field.get_all_transitions(model)}  # type: ignore[union-attr]
    assert found == {(str(arrow.source), arrow.verb, str(arrow.target)) for arrow in table}


@pytest.mark.parametrize(("model", "table", "initial"), MACHINES)
def test_trigger_has_exactly_the_arrows_of_the_table(
    model: type[Model], table: tuple[Transition, ...], initial: str
) -> None:
    guard = next(trigger for trigger in model._meta.triggers if trigger.name == "state_guard")  # type: ignore[attr-defined]
    arguments = re.findall(r"'([^']*)'", guard.render_execute(model))
    assert arguments == [initial, *sorted({f"{arrow.source}>{arrow.target}" for arrow in table})]


@pytest.mark.parametrize(
    ("states", "table", "initial"),
    [(RunState, RUN_TRANSITIONS, "draft"), (PhaseState, PHASE_TRANSITIONS, "pending")],
)
def test_every_state_is_reached_and_every_arrow_has_a_reason(
    states: type[RunState | PhaseState], table: tuple[Transition, ...], initial: str
) -> None:
    reached = {initial}
    while more := {str(arrow.target) for arrow in table if arrow.source in reached} - reached:
        reached |= more
    assert reached == {state.value for state in states}
    assert all(arrow.reason for arrow in table)


def test_what_is_over_leads_nowhere_and_owns_no_table() -> None:
    assert not {arrow.source for arrow in RUN_TRANSITIONS} & RUN_FINAL
    assert not RUN_ACTIVE & RUN_FINAL
    assert not PHASE_WORKING & PHASE_STOPPED


def test_moves_that_would_skip_a_gate_are_in_no_table() -> None:
    assert not may_move(RUN_TRANSITIONS, "draft", "approved")
    assert not may_move(RUN_TRANSITIONS, "awaiting_approval", "in_progress")
    assert not may_move(RUN_TRANSITIONS, "sealed", "rolling_back")
    assert not may_move(PHASE_TRANSITIONS, "running", "done")
    assert not may_move(PHASE_TRANSITIONS, "pending", "running")


def test_documented_diagrams_are_those_of_the_table() -> None:
    assert DOCS.read_text(encoding="utf-8") == state_diagrams.page(), (
        "docs/reference/state-machines.md is out of date: run `python manage.py state_diagrams`"
    )
