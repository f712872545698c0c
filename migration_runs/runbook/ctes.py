"""Common table expressions: what a WITH names, and from where to where that name can be seen."""

from __future__ import annotations

from dataclasses import dataclass

from migration_runs.runbook.sqltokens import Token


@dataclass(frozen=True)
class Cte:
    """A name that a WITH gives: the position at which it stands, and the positions between which it
    hides a table.
    """

    name: str
    at: int
    first: int
    last: int


def closing_parentheses(statement: list[Token]) -> dict[int, int]:
    """Of each opening parenthesis the position of its closing one."""
    result: dict[int, int] = {}
    opened: list[int] = []
    for at, token in enumerate(statement):
        if token.symbol("("):
            opened.append(at)
        elif token.symbol(")") and opened:
            result[opened.pop()] = at
    return result


def find(statement: list[Token], closing: dict[int, int]) -> list[Cte]:
    """What each WITH names, and from where to where it can be seen: not inside itself, unless recursive."""
    result: list[Cte] = []
    for at, token in enumerate(statement):
        if not token.word("with"):
            continue
        outer = [close for start, close in closing.items() if start < at < close]
        last = min(outer, default=len(statement))
        recursive = at + 1 < len(statement) and statement[at + 1].word("recursive")
        here = at + 2 if recursive else at + 1
        while True:
            parsed = _cte(statement, closing, here)
            if parsed is None:
                break
            close = parsed
            result.append(Cte(statement[here].text, here, at if recursive else close, last))
            if not (close + 1 < len(statement) and statement[close + 1].symbol(",")):
                break
            here = close + 2
    return result


def _cte(statement: list[Token], closing: dict[int, int], at: int) -> int | None:
    """Where ``name [(columns)] AS [[NOT] MATERIALIZED] ( ... )`` at ``at`` ends; None where it is not one."""
    if at >= len(statement) or not statement[at].is_name:
        return None
    at += 1
    if at in closing:
        at = closing[at] + 1
    if at >= len(statement) or not statement[at].word("as"):
        return None
    at += 1
    while at < len(statement) and statement[at].word("not", "materialized"):
        at += 1
    return closing.get(at)
