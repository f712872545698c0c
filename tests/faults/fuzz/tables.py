"""A seed's tables in a database of their own: made, filled with history, read whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from controlpanel.embedded_databases import Databases, TargetUrls
from migration_runs.engine import connection, ledger
from migration_runs.engine.move.names import Side
from tests.faults.fuzz import form as forms
from tests.faults.fuzz.form import Form, Row
from tests.integration import jobs, worlds
from tests.integration.worlds import World

TABLES: dict[Side, str] = {"source": "public.old_side", "target": "public.new_side"}
BESIDE = 50_000_000
"""Rows out of scope have logical keys from here on where the scope is no part of the key."""

WRITER = "fuzz-writer"

_PACE = """
CREATE FUNCTION public.fuzz_pace() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    IF current_setting('application_name') LIKE 'phasegate/%' THEN PERFORM pg_sleep({seconds}); END IF;
    RETURN coalesce(NEW, OLD);
END$$;
CREATE TRIGGER fuzz_pace BEFORE INSERT ON public.new_side FOR EACH ROW EXECUTE FUNCTION public.fuzz_pace();
CREATE TRIGGER fuzz_pace BEFORE UPDATE OR DELETE ON public.old_side
    FOR EACH ROW EXECUTE FUNCTION public.fuzz_pace();
"""
"""Rows that the engine itself writes take their time: chunks and pieces stay open while writers come by."""

_NESTED = """
CREATE FUNCTION public.fuzz_companion() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO public.old_side AS s ({columns}) VALUES ({values})
        ON CONFLICT ({keys}){where} DO UPDATE SET val = excluded.val, amount = excluded.amount,
           note = excluded.note, tags = excluded.tags{living};
    RETURN NULL;
END$$;
CREATE TRIGGER fuzz_companion AFTER INSERT OR UPDATE ON public.old_side FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND current_setting('application_name') = '{writer}' AND {live})
    EXECUTE FUNCTION public.fuzz_companion();
"""

_SIGHT = """
CREATE FUNCTION public.fuzz_mirrored(name text) RETURNS boolean LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog AS 'SELECT to_regprocedure(name) IS NOT NULL'
"""
"""By the catalog as it is now, whatever the snapshot of the transaction that asks."""


def live(form: Form, alias: str = "") -> str:
    """The condition for a living source row."""
    return {"none": "true", "null": f"{alias}deleted_at IS NULL", "equals": f"{alias}state = 'live'"}[
        form.soft
    ]


def living(form: Form) -> str:
    """The assignment that brings a withdrawn row back; empty where rows are deleted."""
    return {"none": "", "null": ", deleted_at = NULL", "equals": ", state = 'live'"}[form.soft]


def keys(form: Form, side: Side) -> str:
    """The key's columns of that side, by commas."""
    return ", ".join(form.name(column, side) for column in form.key_columns)


@contextmanager
def made(databases: Databases, form: Form, name: str) -> Iterator[tuple[World, TargetUrls]]:
    """The world of a seed, dropped afterwards: tables filled, a run with its ledger, nothing begun."""
    databases.drop(name)
    urls = databases.ensure_target(name)
    try:
        with psycopg.connect(urls.owner_url, autocommit=True) as owner:
            for statement in _definition(form):
                owner.execute(statement.encode())
            _fill(owner, form)
        with psycopg.connect(urls.dsn, autocommit=True) as superuser:
            superuser.execute(_SIGHT)
        job = worlds.job_for(form.move(), urls.runner_url)
        with connection.connect_job(job) as conn:
            ledger.ensure(conn, job)
        world = World(move=form.move(), runner_url=urls.runner_url, app_url=urls.app_url, job=job)
        yield (
            jobs.migrating(
                world, data_decision=form.decision, initial_rows=60, min_rows=20, max_rows=150,
                workers=form.copiers, max_lock_waiters=1000,
            ),
            urls,
        )  # fmt: skip
    finally:
        databases.drop(name)


def read(conn: psycopg.Connection[Any], form: Form, side: Side) -> dict[int, Row]:
    """Every row of that side that the move is about and that lives, by its logical key."""
    where = [live(form)] if side == "source" else []
    where += ["kind = 'a'"] if form.scope != "none" else []
    values = "val, amount, note, tags"
    if side == "target" and form.packed:
        values = "val, amount, more ->> 'note', (SELECT CASE WHEN jsonb_typeof(more -> 'tags') = 'array' "
        values += "THEN ARRAY(SELECT jsonb_array_elements_text(more -> 'tags')) END)"
    query = f"SELECT {keys(form, side)}, {values} FROM {TABLES[side]} WHERE {' AND '.join(where) or 'true'}"
    width = len(form.key_columns)
    found: dict[int, Row] = {}
    for row in conn.execute(query.encode()).fetchall():
        n = form.number(dict(zip(form.key_columns, row[:width], strict=True)))
        assert n not in found, f"{side}: key {n} twice"
        val, amount, note, tags = row[width:]
        found[n] = (val, amount, note, None if tags is None else tuple(tags))
    return found


def bystanders(conn: psycopg.Connection[Any], form: Form) -> list[tuple[Any, ...]]:
    """Rows of both sides that the move is not about."""
    if form.scope == "none":
        return []
    return [
        row
        for side in TABLES
        for row in conn.execute(
            f"SELECT to_jsonb(r)::text FROM {TABLES[side]} AS r WHERE kind <> 'a' ORDER BY 1".encode()
        ).fetchall()
    ]


def history_token(n: int) -> str:
    """The token of the row that was there first."""
    return f"0.{n}"


def wrong_token(n: int) -> str:
    """The token of a target row from before the run that is not what the source says."""
    return f"x.{n}"


def history(form: Form) -> Iterator[int]:
    """Logical keys that live in the source before anybody writes; every seventh is missing."""
    return (n for n in range(form.rows) if n % 7)


def fill_target(owner: psycopg.Connection[Any], form: Form) -> None:
    """Make the target hold what the source holds, by plain statements: for the play without a move."""
    owner.execute("DELETE FROM public.new_side" + ("" if form.scope == "none" else " WHERE kind = 'a'"))
    _insert(owner, form, "target", [(n, "a", row[0]) for n, row in read(owner, form, "source").items()])


def _definition(form: Form) -> Iterator[str]:
    names = [*form.key_columns, *(("kind",) if form.scope == "beside" else ())]
    columns: dict[Side, str] = {
        side: ", ".join(
            f"{form.name(name, side)} "
            f"{'bigint' if (side, name) == ('target', 'num') else forms.TYPES[name]} NOT NULL"
            for name in names
        )
        for side in TABLES
    }
    state = {"none": "", "null": ", deleted_at timestamptz", "equals": ", state text NOT NULL DEFAULT 'live'"}
    identity = "id bigserial PRIMARY KEY, " if form.soft != "none" else ""
    primary = f", PRIMARY KEY ({keys(form, 'source')})" if form.soft == "none" else ""
    yield (
        f"CREATE TABLE public.old_side ({identity}{columns['source']}, val text NOT NULL, "
        f"amount numeric(12, 2) NOT NULL, note text, tags text[], touched_at timestamptz DEFAULT now()"
        f"{state[form.soft]}{primary})"
    )
    if form.soft != "none":
        where = "" if form.full_unique else f" WHERE {live(form)}"
        yield f"CREATE UNIQUE INDEX ON public.old_side ({keys(form, 'source')}){where}"
    more = "more jsonb" if form.packed else "note text, tags text[]"
    yield (
        f"CREATE TABLE public.new_side (id bigint GENERATED BY DEFAULT AS IDENTITY, {columns['target']}, "
        f"val text NOT NULL, amount numeric(12, 2) NOT NULL, origin text NOT NULL, {more}, "
        f"UNIQUE ({keys(form, 'target')}))"
    )
    if form.pace_ms:
        yield _PACE.format(seconds=form.pace_ms / 1000)
    if form.nested:
        yield _companions(form)


def _companions(form: Form) -> str:
    whole = forms.COMPANION // (forms.CODES if form.with_code else 1)
    shifted = {"num": f"NEW.num + {whole}", "at": f"NEW.at + {whole} * interval '1 minute'"}
    names = [*form.key_columns, *(("kind",) if form.scope == "beside" else ())]
    columns = [*names, "val", "amount", "note", "tags"]
    return _NESTED.format(
        columns=", ".join(columns),
        values=", ".join(shifted.get(name, f"NEW.{name}") for name in columns),
        keys=keys(form, "source"),
        where="" if form.soft == "none" else f" WHERE {live(form)}",
        living=living(form),
        live=live(form, "NEW."),
        writer=WRITER,
    )


def _fill(owner: psycopg.Connection[Any], form: Form) -> None:
    """History on the source, withdrawn rows among it; rows out of scope; what the target has already."""
    rows: dict[Side, list[tuple[int, str, str]]] = {"source": [], "target": []}
    rows["source"] = [(n, "a", history_token(n)) for n in history(form)]
    if form.existing != "none":
        for n in range(form.rows):
            if form.existed(n):
                wrong = form.existing == "different" and n % 2 == 0
                if wrong or n % 7:
                    rows["target"].append((n, "a", wrong_token(n) if wrong else history_token(n)))
    if form.scope != "none":
        start = 0 if form.scope == "key" else BESIDE
        for side in TABLES:
            rows[side] += [(n, "b", f"b.{n}") for n in range(start, start + 50)]
    for side, given in rows.items():
        _insert(owner, form, side, given)
    if form.soft != "none":
        retired = "deleted_at = now()" if form.soft == "null" else "state = 'retired'"
        where = "val LIKE '0.%' AND right(val, 1) = '3'"
        owner.execute(f"UPDATE public.old_side SET {retired} WHERE {where}".encode())
        if not form.full_unique:  # two in three of the withdrawn ones live on in a second row
            again = [n for n in history(form) if n % 10 == 3 and n % 3]
            _insert(owner, form, "source", [(n, "a", history_token(n)) for n in again])


def _insert(owner: psycopg.Connection[Any], form: Form, side: Side, rows: list[tuple[int, str, str]]) -> None:
    names = [*form.key_columns, *(("kind",) if form.scope == "beside" else ())]
    columns = [form.name(name, side) for name in names] + ["val", "amount"]
    columns += ["origin"] if side == "target" else []
    columns += ["more"] if side == "target" and form.packed else ["note", "tags"]
    marks = ", ".join(["%s"] * len(columns))
    query = f"INSERT INTO {TABLES[side]} ({', '.join(columns)}) VALUES ({marks})"
    values = []
    for n, kind, token in rows:
        row = forms.row_of(token)
        key = form.key_values(n) | {"kind": kind}
        more: list[Any] = [forms.packed(row)] if side == "target" and form.packed else [row[2], _list(row)]
        values.append(
            [key[name] for name in names] + [row[0], row[1]] + (["legacy"] if side == "target" else []) + more
        )
    with owner.cursor() as cursor:
        cursor.executemany(query.encode(), values)


def _list(row: Row) -> list[str | None] | None:
    return None if row[3] is None else list(row[3])
