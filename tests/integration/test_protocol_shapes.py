"""What the protocol takes and what it refuses, on real catalogs."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import catalog
from migration_runs.exceptions import EngineError
from migration_runs.runbook.move import Const, Pack
from tests.integration import worlds


def test_both_worlds_are_taken(target: TargetUrls) -> None:
    dxy, orders = worlds.dxy_like(target), worlds.orders_like(target)
    assert dxy.shape().key_names == ("k1", "k2", "k3")
    assert [column.name for column in orders.shape().identity] == ["customer", "code"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DROP TABLE bars", "there is no table public.bars"),
        ("ALTER TABLE bars DROP COLUMN vol", "public.bars has no column vol"),
        (
            "ALTER TABLE bars DROP CONSTRAINT bars_key",
            r"public.bars has no unique index on \(symbol, timeframe, ts\)",
        ),
        ("DROP INDEX derived_active_key", r"public.derived has no unique index on .* of active rows"),
        (
            """DROP INDEX derived_active_key; CREATE UNIQUE INDEX ON derived (symbol, timeframe, ts)
               WHERE deleted_at IS NULL AND vol IS NULL""",
            "no unique index",
        ),
        ("ALTER TABLE bars ADD extra text", "says nothing of target.extra"),
        (
            "ALTER TABLE derived ADD extra2 text, ADD extra3 text",
            "says nothing of source.extra2, source.extra3",
        ),
        ("ALTER TABLE bars ALTER vol TYPE numeric(20, 2)", "cannot become public.bars.vol .* and come back"),
        ("ALTER TABLE bars ALTER close TYPE real", "cannot become"),
        ("ALTER TABLE bars ALTER raw TYPE json", "values of type json cannot be compared"),
        ("ALTER TABLE derived ALTER ts DROP NOT NULL", "belongs to the key and must be NOT NULL"),
        ("ALTER TABLE derived FORCE ROW LEVEL SECURITY", "row-level security hides rows of public.derived"),
        ("CREATE TABLE part () INHERITS (derived)", "public.derived is partitioned"),
        ("ALTER TABLE derived DROP CONSTRAINT derived_pkey", "has no primary key"),
    ],
)
def test_a_world_that_cannot_be_kept_equal_is_refused(target: TargetUrls, change: str, reason: str) -> None:
    world = worlds.dxy_like(target)
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(change.encode())
    with pytest.raises(EngineError, match=reason):
        world.shape()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": ("symbol", "timeframe", "quality")}, "key column quality must be mapped unchanged"),
        ({"left_out": ()}, "says nothing of source.id, source.updated_at, target.id"),
        ({"left_out": ("id",)}, "left_out names columns as"),
        ({"chunk_column": "nope"}, "has no column nope"),
    ],
)
def test_a_move_that_does_not_fit_is_refused(target: TargetUrls, change: dict[str, Any], reason: str) -> None:
    world = worlds.dxy_like(target).with_move(**change)
    with pytest.raises(EngineError, match=reason):
        world.shape()


def test_a_packed_column_that_must_not_be_null_needs_a_default(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE shop.old_order SET note = ''; ALTER TABLE shop.old_order ALTER note SET NOT NULL"
        )
    with pytest.raises(EngineError, match="the pack must say its default"):
        world.shape()
    columns = {**world.move.columns, "more": Pack(pack=("note", "tags"), default={"note": "none"})}
    assert world.with_move(columns=columns).shape().key_names == ("k1", "k2")


def test_a_partition_is_refused_whichever_side_of_the_tree_it_is(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE TABLE shop.tree (LIKE shop.old_order, PRIMARY KEY (customer, code))
               PARTITION BY HASH (customer);
               CREATE TABLE shop.leaf PARTITION OF shop.tree FOR VALUES WITH (MODULUS 1, REMAINDER 0)"""
        )
    for name in ("shop.tree", "shop.leaf"):
        with pytest.raises(EngineError, match="would pass the sync triggers by"):
            world.with_move(source=name).shape()


def test_hostile_names_stay_names(target: TargetUrls) -> None:
    """Quotes, dollar quotes and blanks in identifiers and constants reach neither end of any string."""
    world = worlds.orders_like(target)
    hostile = "$phasegate$; DROP TABLE shop.old_order; --\"'%s{x}"
    quoted = hostile.replace('"', '""')
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(f'ALTER TABLE shop.old_order RENAME note TO "{quoted}"'.encode())
    columns = {
        **world.move.columns,
        "channel": Const(const=hostile),
        "more": Pack(pack=(hostile, "tags"), literal={hostile + "2": hostile}),
    }
    world = world.with_move(columns=columns)
    shape = world.switch_on("forward", "reverse")
    with world.app() as app:
        app.execute("INSERT INTO shop.old_order VALUES (1, 'a', 1, now(), 'kept')")
        app.execute("UPDATE shop.new_order SET amount = 2")
    assert world.rows("SELECT channel FROM shop.new_order") == [(hostile,)]
    assert world.unequal(shape) == []


def test_looking_at_a_move_waits_for_nobody_who_holds_its_tables(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with world.app(autocommit=False) as holder, world.runner() as conn:
        holder.execute("LOCK TABLE derived, bars IN SHARE ROW EXCLUSIVE MODE")
        shape = catalog.resolve(conn, world.move, world.job.run_uid)
        with pytest.raises(errors.LockNotAvailable):
            catalog.resolve(conn, world.move, world.job.run_uid, prove_key=True)
    assert shape.key_names == ("k1", "k2", "k3")
