"""What a writer can say to either side, and which keys a statement wrote, by its own RETURNING."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from migration_runs.engine.move.names import Side
from tests.faults.fuzz import form as forms
from tests.faults.fuzz import tables
from tests.faults.fuzz.form import Form

Verb = Literal["upsert", "insert", "update", "remove", "erase", "restore", "rekey", "purge"]
Effect = tuple[int, str | None]
"""A key and the token that it has since; None: it lives no more."""

CHANCES: dict[Verb, int] = {
    "update": 34, "upsert": 18, "insert": 8, "remove": 14, "erase": 3, "restore": 10, "rekey": 10, "purge": 3,
}  # fmt: skip
HOT = 30
FRESH = 2_000_000
MOST_KEYS = 5


@dataclass(frozen=True)
class Action:
    """One statement: what, to which keys (``rekey``: from the first to the second), with which token."""

    verb: Verb
    keys: tuple[int, ...]
    token: str


def chosen(rng: random.Random, form: Form, token: str, *, spared: bool) -> Action:
    """The next action of a writer. ``spared``: keys that the target held before the run are let alone."""
    verb = rng.choices(list(CHANCES), list(CHANCES.values()))[0]
    count = rng.randrange(2, MOST_KEYS + 1) if rng.random() < 0.25 else 1
    if verb in ("rekey", "restore", "insert"):
        count = 1
    keys = [_key(rng, form) for _ in range(count)]
    if spared:
        keys = [n + 1 if form.existed(n) else n for n in keys]
    if verb in ("rekey", "insert") and rng.random() < 0.7:
        fresh = FRESH + fresh_number(token)
        keys = [fresh] if verb == "insert" else [keys[0], fresh]
    elif verb == "rekey":
        keys.append(_key(rng, form))
        if spared and form.existed(keys[1]):
            keys[1] += 1
    return Action(verb, tuple(dict.fromkeys(keys)), token)


def fresh_number(token: str) -> int:
    """A number that no other token has: writer and count, side by side."""
    writer, count = token.split(".")
    return int(count) * 32 + int(writer)


def _key(rng: random.Random, form: Form) -> int:
    return rng.randrange(HOT) * 7 + 1 if rng.random() < 0.35 else rng.randrange(form.rows + form.rows // 8)


class Speech:
    """The statements of one side."""

    def __init__(self, form: Form, side: Side) -> None:
        self._form, self._side = form, side
        self._table = tables.TABLES[side]
        self._keys = tables.keys(form, side)
        self._soft = side == "source" and form.soft != "none"
        self._live = tables.live(form) if side == "source" else "true"
        self._living = tables.living(form) if side == "source" else ""
        self._scope = "" if form.scope == "none" else " AND kind = 'a'"
        self._packs = side == "target" and form.packed
        self._values = ("val", "amount", "more") if self._packs else ("val", "amount", "note", "tags")

    def act(self, conn: psycopg.Connection[Any], action: Action) -> list[Effect]:
        """Say it; the keys that it wrote."""
        if action.verb == "rekey":
            return self._rekey(conn, action)
        rows = self._said(conn, action)
        gone = action.verb in ("remove", "erase")
        written: list[Effect] = [(n, None if gone else action.token) for n in rows]
        return [] if action.verb == "purge" else written + self._companions(written)

    def _said(self, conn: psycopg.Connection[Any], action: Action) -> list[int]:
        known, given = self._where(action.keys)
        values = self._given(action.token)
        changes = ", ".join(f"{name} = %({name})s" for name in self._values)
        active = f"{known} AND {self._live}{self._scope}"
        retire = {"null": "deleted_at = now()", "equals": "state = 'retired'"}.get(self._form.soft, "")
        if action.verb == "update":
            query = f"UPDATE {self._table} SET {changes} WHERE {active}"
        elif action.verb == "remove" and self._soft:
            query = f"UPDATE {self._table} SET {retire} WHERE {active}"
        elif action.verb in ("remove", "erase"):
            query = f"DELETE FROM {self._table} WHERE {active}"
        elif action.verb == "purge":
            condition = f"NOT ({self._live})" if self._soft else "false"
            query = f"DELETE FROM {self._table} WHERE {known} AND {condition}{self._scope}"
        elif action.verb == "restore" and self._soft:
            dead = f"SELECT max(id) FROM {self._table} WHERE {known} AND NOT ({self._live}){self._scope}"
            query = (
                f"UPDATE {self._table} SET {changes}{self._living} WHERE id = ({dead}) AND NOT ({self._live})"
            )
            query += f" AND NOT EXISTS (SELECT FROM {self._table} WHERE {active})"
        else:
            query = self._insertion(action, given)
        return self._returned(conn, query, {**given, **values})

    def _insertion(self, action: Action, given: dict[str, Any]) -> str:
        beside = self._form.scope == "beside"
        names = [self._form.name(name, self._side) for name in self._form.key_columns]
        columns = [*names, *(["kind"] if beside else []), *self._values]
        columns += ["origin"] if self._side == "target" else []
        constants = (["'a'"] if beside else []) + [f"%({name})s" for name in self._values]
        constants += ["'legacy'"] if self._side == "target" else []
        rows = ", ".join(
            "(" + ", ".join([f"%({name}_{i})s" for name in self._form.key_columns] + constants) + ")"
            for i in range(len(action.keys))
        )
        query = f"INSERT INTO {self._table} AS t ({', '.join(columns)}) VALUES {rows}"
        where = f" WHERE {self._live}" if self._soft else ""
        if action.verb == "upsert":
            changes = ", ".join(f"{name} = excluded.{name}" for name in self._values)
            query += f" ON CONFLICT ({self._keys}){where} DO UPDATE SET {changes}{self._living}"
        elif action.verb == "restore":
            query += f" ON CONFLICT ({self._keys}){where} DO NOTHING"
        return query

    def _rekey(self, conn: psycopg.Connection[Any], action: Action) -> list[Effect]:
        if len(action.keys) < 2:
            return []
        old, new = action.keys
        known, given = self._where((old,))
        taken, wanted = self._where((new,), start=1)
        changes = [f"{self._form.name(name, self._side)} = %({name}_1)s" for name in self._form.key_columns]
        changes += [f"{name} = %({name})s" for name in self._values]
        query = f"UPDATE {self._table} SET {', '.join(changes)} WHERE {known} AND {self._live}{self._scope} "
        query += f"AND NOT EXISTS (SELECT FROM {self._table} WHERE {taken} AND {self._live})"
        if not self._returned(conn, query, {**given, **wanted, **self._given(action.token)}):
            return []
        put: list[Effect] = [(new, action.token)]
        return [(old, None), *put, *self._companions(put)]

    def _companions(self, written: Iterable[Effect]) -> list[Effect]:
        """What the application's own trigger wrote beside it."""
        if not self._form.nested or self._side == "target":
            return []
        return [(n + forms.COMPANION, token) for n, token in written if token is not None]

    def _where(self, keys: Sequence[int], *, start: int = 0) -> tuple[str, dict[str, Any]]:
        given: dict[str, Any] = {}
        tuples = []
        for i, n in enumerate(keys, start=start):
            given |= {f"{name}_{i}": value for name, value in self._form.key_values(n).items()}
            tuples.append("(" + ", ".join(f"%({name}_{i})s" for name in self._form.key_columns) + ")")
        return f"({self._keys}) IN ({', '.join(tuples)})", given

    def _given(self, token: str) -> dict[str, Any]:
        row = forms.row_of(token)
        if self._packs:
            return {"val": row[0], "amount": row[1], "more": forms.packed(row)}
        return {"val": row[0], "amount": row[1], "note": row[2], "tags": row[3] and list(row[3])}

    def _returned(self, conn: psycopg.Connection[Any], query: str, given: dict[str, Any]) -> list[int]:
        rows = conn.execute(f"{query} RETURNING {self._keys}".encode(), given).fetchall()
        return [self._form.number(dict(zip(self._form.key_columns, row, strict=True))) for row in rows]
