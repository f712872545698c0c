"""The reference of runbook.toml names every key there is, and only rules that have tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from migration_runs.phases import PHASES
from migration_runs.runbook import copying, monitoring, move, plan, steps, texts

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference" / "runbook-toml.md").read_text(encoding="utf-8")
RULES = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
MODELS: tuple[type[BaseModel], ...] = (
    plan.Runbook,
    plan.PhasePlan,
    move.Move,
    move.Pack,
    move.Const,
    move.Active,
    copying.CopySettings,
    copying.BusyHours,
    copying.Bounds,
    monitoring.Check,
    monitoring.Shown,
    monitoring.Bound,
    monitoring.Session,
    monitoring.Window,
    steps.BeforeImageOf,
    steps.RowsOf,
    texts.Texts,
    texts.Decision,
    texts.Feedback,
    texts.Risk,
    texts.Question,
    texts.Contact,
    texts.Criterion,
    texts.Comparison,
    texts.ReadinessItem,
    *get_args(get_args(steps.Step)[0]),
)
WRITTEN_AS_UNDO = {"undo_none"}


def _keys() -> Iterator[str]:
    for model in MODELS:
        yield from (f"{model.__name__}.{name}" for name in model.model_fields if name not in WRITTEN_AS_UNDO)


@pytest.mark.parametrize("key", sorted(set(_keys())))
def test_every_key_is_documented(key: str) -> None:
    assert re.search(rf"\b{key.rpartition('.')[2]}\b", REFERENCE), key


def test_every_step_kind_and_phase_is_documented() -> None:
    kinds = [get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(steps.Step)[0])]
    assert all(f"`{kind}`" in REFERENCE for kind in kinds)
    assert all(f"`{phase.key}`" in REFERENCE for phase in PHASES)


def test_every_rule_names_tests_that_exist() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_(?:rule|defect)_\d\d_)\*`", RULES)
    assert {f"test_rule_{number:02d}_" for number in range(1, 13)} <= set(named)
    assert [name for name in named if f"def {name}" not in tests] == []
