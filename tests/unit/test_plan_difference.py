"""What differs between two plans: everything that the digest covers, named as people call it."""

from __future__ import annotations

from typing import Any

import pytest

from migration_runs.runbook import difference
from migration_runs.runbook.plan import Plan
from tests import plans


def changed(**places: Any) -> tuple[difference.Part, ...]:
    """How the plan differs once the values at these places (``a__b__0``) are set."""
    old = plans.plan({4: [plans.sql_step("move", "SELECT 1;\nSELECT 2;\nSELECT 3;")]})
    body = old.model_dump(mode="json")
    for place, value in places.items():
        *way, last = place.split("__")
        here: Any = body
        for part in way:
            here = here[int(part)] if part.isdigit() else here[part]
        here[int(last) if last.isdigit() else last] = value
    return difference.between(old, Plan.from_json(body))


def test_equal_plans_do_not_differ() -> None:
    assert changed() == ()
    assert difference.in_words(()) == "nothing that is signed"


def test_a_changed_file_is_shown_by_its_lines() -> None:
    (part,) = changed(runbook__phases__3__steps__0__sql__text="SELECT 1;\nSELECT two;\nSELECT 3;")
    assert (part.group, part.name, part.change) == ("step", "4.move", "changed")
    marks = [(line.mark, line.text) for line in part.lines]
    assert ("-", "SELECT 2;") in marks
    assert ("+", "SELECT two;") in marks
    assert (" ", "SELECT 1;") in marks


def test_an_added_step_changes_no_other() -> None:
    steps = [plans.sql_step("new", "SELECT 0;"), plans.sql_step("move", "SELECT 1;\nSELECT 2;\nSELECT 3;")]
    found = changed(runbook__phases__3__steps=steps)
    assert [(part.group, part.name, part.change) for part in found] == [
        ("order", "4", "changed"), ("step", "4.new", "added"),
    ]  # fmt: skip
    assert difference.in_words(found) == "1 order, 1 step"


def test_a_removed_step_is_told() -> None:
    found = changed(runbook__phases__3__steps=[plans.assert_step("other")])
    assert {(part.name, part.change) for part in found if part.group == "step"} == {
        ("4.move", "removed"), ("4.other", "added"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "group"),
    [
        ("data_decision", "delete", "setting"),
        ("clock_speed", 2.0, "setting"),
        ("parameters", {"low": 1}, "setting"),
        ("runbook__move__tolerance", {"close": 0.1}, "setting"),
        ("runbook__move__copying__max_rows", 7_000, "setting"),
        ("runbook__window__hours", 25.0, "setting"),
        ("runbook__retention_days", 3.0, "setting"),
        ("runbook__phases__3__minutes", 99.0, "phase"),
        ("runbook__phases__3__steps__0__lock_timeout_ms", 1, "step"),
        ("runbook__texts__gotchas", ["mind"], "text"),
        ("runbook__texts__decisions", [{"title": "t", "decision": "d", "why": "w"}], "decision"),
        ("runbook__texts__risks", [{"risk": "r", "mitigation": "m", "phase": 4}], "risk"),
    ],
)
def test_whatever_the_digest_covers_shows(place: str, value: Any, group: str) -> None:
    assert group in {part.group for part in changed(**{place: value})}


def test_the_parts_hold_every_value_of_the_plan() -> None:
    """A field that a later version adds to the plan must not be left out of what the signer is shown."""
    plan = plans.plan({4: [plans.sql_step("move", "SELECT 1;")]})
    known = set(type(plan.runbook).model_fields)
    whole = next(part for part in difference.parts(plan) if part.name == "runbook")
    shown_apart = {
        "phases", "checks", "rules", "queries", "readiness", "texts", "move", "window", "parameters",
    }  # fmt: skip
    assert {line.split(" = ")[0].split(".")[0] for line in whole.lines} == known - shown_apart
