"""Every action that the code can write has a sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime

from migration_runs.engine import script
from migration_runs.models import AuditEvent
from migration_runs.selectors import trail
from migration_runs.states import PHASE_TRANSITIONS, RUN_TRANSITIONS
from tests.processes import CHECKOUT

MOVES = {
    "run.{}": {arrow.verb for arrow in RUN_TRANSITIONS},
    "phase.{}": {arrow.verb for arrow in PHASE_TRANSITIONS},
    "refused.{}": {"anything"},
}
"""Actions that are put together, each with what may stand in the gap."""


def written() -> Iterator[str]:
    """The action of every call of ``append`` in the source, those put together with each of their parts."""
    for path in sorted((CHECKOUT / "migration_runs").rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]:
            for call in _calls(function, "audit.append"):
                action = next(word.value for word in call.keywords if word.arg == "action")
                for given in _handed_in(module, function, action):
                    yield from _actions(given, where=f"{path.name}:{call.lineno}")


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def _handed_in(module: ast.Module, function: ast.FunctionDef, action: ast.expr) -> Iterator[ast.expr]:
    """The action, or what the callers of ``function`` in its module hand in where it is a parameter."""
    places = [argument.arg for argument in function.args.args]
    if not (isinstance(action, ast.Name) and action.id in places):
        yield action
        return
    for call in _calls(module, function.name):
        named = {word.arg: word.value for word in call.keywords}
        yield named.get(action.id) or call.args[places.index(action.id)]


def _actions(node: ast.expr, *, where: str) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(action)):
            yield action
        case ast.IfExp(body=one, orelse=other):
            yield from _actions(one, where=where)
            yield from _actions(other, where=where)
        case ast.JoinedStr(values=parts):
            form = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
            assert form in MOVES, f"{where} puts an action together in a way that this test does not know"
            yield from (form.format(verb) for verb in MOVES[form])
        case _:
            raise AssertionError(f"{where}: what action is {ast.unparse(node)}?")


def event(action: str, **more: object) -> AuditEvent:
    given = {"seq": 1, "at": datetime.now(UTC), "actor": "dora", "actor_how": "web", "object": "dxy_1m-12"}
    return AuditEvent(**(given | {"action": action, "detail": {}} | more))


def test_every_action_that_can_be_written_has_a_sentence() -> None:
    actions = set(written())
    assert len(actions) > 30
    assert {"run.roll_back", "phase.undo", "sign_off.void", "check.fail", "run.ledger_gone"} <= actions
    unsaid = {action for action in actions - trail.SAID.keys() if not action.startswith("refused.")}
    assert unsaid == set()


def test_no_sentence_is_kept_for_what_nobody_writes() -> None:
    assert trail.SAID.keys() - set(written()) == set()


def test_a_sentence_says_who_what_and_why() -> None:
    told = trail.sentence(event("run.hold", detail={"reason": "lag of 40 s"}))
    assert told == "dora put dxy_1m-12 on hold: “lag of 40 s”"
    assert trail.sentence(event("refused.roll_back")) == "dora was refused: roll back of dxy_1m-12"


def test_an_action_that_is_not_known_is_readable() -> None:
    assert trail.sentence(event("moon.turn_round")) == "dora moon turn round dxy_1m-12"


def test_braces_in_what_people_typed_are_text() -> None:
    assert trail.sentence(event("run.start", object="{object} {0}")) == "dora started {object} {0}"
    assert "{0}" in trail.sentence(event("moon.turn", object="x", detail={"reason": "{0}"}))


def test_steps_and_items_are_called_by_their_words() -> None:
    def said(action: str, name: str, **detail: str) -> str:
        row = AuditEvent(actor="olga", action=action, object=name, detail=detail, at=datetime.now(UTC))
        return trail.sentence(row)

    confirmed = said("step.confirm", "deployed of phase 7 of dxy_1m-1", title="Deploy the new code")
    assert confirmed == "olga confirmed “Deploy the new code”, deployed of phase 7 of dxy_1m-1"
    assert said("readiness.tick", "disk_free of dxy_1m-1", text="There is room").startswith(
        "olga ticked “There"
    )
    assert said("handover.give", "dxy_1m-1 to emil") == "olga offered the watch of dxy_1m-1 to emil"


def test_a_row_is_told_without_brackets_and_whole_pairs_alone() -> None:
    row = {
        "ok": True,
        "bars": 72,
        "verdict": {"to": datetime(2026, 3, 2, tzinfo=UTC), "in": [1, 2]},
        "none": None,
    }
    told = script.shorten(row)
    assert told == "ok=yes, bars=72, verdict.to=2026-03-02T00:00:00+00:00, verdict.in=1 2, none=nothing"
    assert script.shorten({"rows": [{"id": 1}, {"id": 2}]}) == "rows=(id=1) (id=2)"
    assert script.shorten(row, 20) == "ok=yes, bars=72 and 3 more"
