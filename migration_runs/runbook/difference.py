"""What differs between two plans, part by part: for whoever signed the one and is asked to sign the other.

Parts are matched by what a person calls them by (a step's phase and key, a check's key, a decision's title),
so that a step that was inserted does not make all steps after it look changed.
"""

from __future__ import annotations

import difflib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from migration_runs.runbook.base import Frozen
from migration_runs.runbook.plan import Plan

Change = Literal["added", "removed", "changed"]
Mark = Literal["+", "-", " ", "@"]
CONTEXT = 2
"""Lines that did not change shown around those that did."""


@dataclass(frozen=True)
class Line:
    """A line of a difference: ``+`` is new, ``-`` is gone, a blank is both, ``@`` says that lines are
    left out.
    """

    mark: Mark
    text: str


@dataclass(frozen=True)
class Part:
    """A part of the plan that differs. ``group`` is what it is (``step``, ``check``, …), ``name`` which
    one.
    """

    group: str
    name: str
    title: str
    change: Change
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Named:
    """A part of one plan, as lines."""

    group: str
    name: str
    title: str
    lines: tuple[str, ...]


def between(old: Plan, new: Plan) -> tuple[Part, ...]:
    """Every part that differs, in the order of the new plan; those that are gone come after."""
    before = {(part.group, part.name): part for part in parts(old)}
    after = {(part.group, part.name): part for part in parts(new)}
    found = []
    for key, part in after.items():
        was = before.get(key)
        if was is None:
            found.append(_part(part, "added", ("+", part.lines)))
        elif was.lines != part.lines:
            found.append(
                Part(part.group, part.name, part.title, "changed", tuple(_diff(was.lines, part.lines)))
            )
    found += [_part(part, "removed", ("-", part.lines)) for key, part in before.items() if key not in after]
    return tuple(found)


def in_words(found: Sequence[Part]) -> str:
    """``2 steps, 1 decision``: how many parts of each kind differ."""
    counted = Counter(part.group for part in found)
    words = [f"{count} {group}{'' if count == 1 else 's'}" for group, count in counted.items()]
    return ", ".join(words) or "nothing that is signed"


def parts(plan: Plan) -> Iterator[Named]:
    """The plan in parts that together hold all of it."""
    runbook = plan.runbook
    parameters = {**runbook.parameters, **plan.parameters}
    yield _named("setting", "run", "Target, data decision, clock", {
        "target": plan.target, "data_decision": plan.data_decision, "clock_speed": plan.clock_speed,
        "format": plan.format,
    })  # fmt: skip
    yield _named("setting", "parameters", "Parameters", parameters)
    whole = runbook.model_dump(
        mode="json",
        exclude={
            "phases",
            "checks",
            "rules",
            "queries",
            "readiness",
            "texts",
            "move",
            "window",
            "parameters",
        },
    )
    yield _named("setting", "runbook", "Runbook", whole)
    yield _named("setting", "move", "The move", runbook.move)
    yield _named("setting", "window", "The monitoring window", runbook.window)
    for phase in runbook.phases:
        own = phase.model_dump(mode="json", exclude={"steps"})
        yield _named("phase", str(phase.number), f"Phase {phase.number} {phase.phase.title}", own)
        yield _named(
            "order",
            str(phase.number),
            f"Order of phase {phase.number}",
            {"steps": [s.key for s in phase.steps]},
        )
        for step in phase.steps:
            yield _named("step", f"{phase.number}.{step.key}", step.title, step)
    for check in runbook.checks:
        yield _named("check", check.key, check.title, check)
    for rule in runbook.rules:
        yield _named("rule", rule.key, rule.title, rule)
    for item in runbook.readiness:
        yield _named("readiness item", item.key, item.text, item)
    yield from _texts(plan)


def _texts(plan: Plan) -> Iterator[Named]:
    texts = plan.runbook.texts
    for query in plan.runbook.queries:
        yield _named("query", query.title, query.title, query)
    for decision in texts.decisions:
        yield _named("decision", decision.title, decision.title, decision)
    for risk in texts.risks:
        yield _named("risk", risk.risk, risk.risk, risk)
    for feedback in texts.feedback:
        yield _named("answer", feedback.asked, feedback.asked, feedback)
    rest = texts.model_dump(mode="json", exclude={"decisions", "risks", "feedback"})
    yield _named("text", "texts", "Other texts", rest)


def _named(group: str, name: str, title: str, value: Frozen | Mapping[str, Any]) -> Named:
    plain = value.model_dump(mode="json") if isinstance(value, Frozen) else dict(value)
    return Named(group, name, title, tuple(_lines(plain)))


def _lines(value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """A part as lines: ``name = value``, and the files' texts as they are."""
    for name in sorted(value):
        inner = value[name]
        if isinstance(inner, dict) and {"path", "header", "text"} <= inner.keys():
            yield f"{prefix}{name} = {inner['path']}"
            yield from str(inner["text"]).splitlines()
        elif isinstance(inner, dict) and inner:
            yield from _lines(inner, f"{prefix}{name}.")
        elif isinstance(inner, str) and "\n" in inner:
            yield f"{prefix}{name} ="
            yield from inner.splitlines()
        else:
            yield f"{prefix}{name} = {json.dumps(inner, ensure_ascii=False)}"


def _part(part: Named, change: Change, given: tuple[Mark, Sequence[str]]) -> Part:
    mark, lines = given
    return Part(part.group, part.name, part.title, change, tuple(Line(mark, text) for text in lines))


def _diff(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for text in itertools.islice(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""), 2, None):
        if text.startswith("@@"):
            yield Line("@", "")
        elif text.startswith("+"):
            yield Line("+", text[1:])
        else:
            yield Line("-" if text.startswith("-") else " ", text[1:])
