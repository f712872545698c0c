"""The sync triggers, alone and against a second session in forced order."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import conninfo, errors

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.move import drain
from tests.integration import worlds

BARS = "SELECT ts::text, close, vol, source, raw - 'created_at' FROM bars ORDER BY ts"
INSERT = worlds.DXY_INSERT


def test_insert_correction_and_withdrawal_arrive(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    world.switch_on("forward")
    with world.app() as conn:
        conn.execute(INSERT % (1, 101.5))
        conn.execute(INSERT % (2, 102))
        conn.execute("INSERT INTO derived (symbol, timeframe, ts, close) VALUES ('DXY', '5m', now(), 1)")
        raw: dict[str, Any] = {"kind": "dxy", "quality": None, "version": 1, "extra": {}}
        assert world.rows(BARS) == [
            ("2024-01-01 00:01:00+00", 101.5, None, "synthetic", raw),
            ("2024-01-01 00:02:00+00", 102, None, "synthetic", raw),
        ]
        conn.execute("UPDATE derived SET close = close + 1, quality = 2 WHERE timeframe = '1m'")
        assert [row[1] for row in world.rows(BARS)] == [102.5, 103]
        conn.execute("UPDATE derived SET deleted_at = now() WHERE close = 103")
        assert [row[1] for row in world.rows(BARS)] == [102.5]
        conn.execute("DELETE FROM derived")
        assert world.rows(BARS) == []


def test_new_code_reaches_the_old_table(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    world.switch_on("forward", "reverse")
    with world.app() as conn:
        conn.execute(
            "INSERT INTO bars (symbol, timeframe, ts, close, source, raw) "
            "VALUES ('DXY', '1m', '2024-01-01Z', 7, 'synthetic', %s)",
            ('{"kind": "dxy", "extra": {"a": 1}}',),
        )
        old = "SELECT close, quality, version, extra, deleted_at IS NULL FROM derived ORDER BY id"
        assert world.rows(old) == [(7, 2, 1, {"a": 1}, True)]
        assert world.rows("SELECT raw ->> 'quality', raw ? 'created_at' FROM bars") == [("2", True)]
        conn.execute("UPDATE bars SET close = 8")
        assert world.rows(old) == [(8, 2, 1, {"a": 1}, True)]
        conn.execute("DELETE FROM bars")
        assert world.rows(old) == [(8, 2, 1, {"a": 1}, False)]
        conn.execute(INSERT % (1, 5))
        assert world.rows("SELECT close FROM bars") == [(5,)]


def test_both_directions_of_the_other_shape(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    world.switch_on("forward", "reverse")
    old, new = (
        "SELECT * FROM shop.old_order",
        "SELECT client, code, amount, channel, more FROM shop.new_order",
    )
    with world.app() as conn:
        conn.execute("INSERT INTO shop.old_order VALUES (1, 'a', 1.50, '2024-01-01Z', NULL, '{x,\"y z\"}')")
        assert [tuple(map(str, row)) for row in world.rows(new)] == [
            ("1", "a", "1.50", "legacy", "{'note': None, 'tags': ['x', 'y z']}")
        ]
        conn.execute("UPDATE shop.new_order SET amount = 2, more = jsonb_set(more, '{note}', '\"hi\"')")
        assert [(str(row[2]), row[4], row[5]) for row in world.rows(old)] == [("2.00", "hi", ["x", "y z"])]
        conn.execute("UPDATE shop.new_order SET code = 'b'")
        assert [row[1] for row in world.rows(old)] == ["b"]
        conn.execute("DELETE FROM shop.new_order")
        assert world.rows(old) == []


# -- statements inside statements


def test_a_write_that_an_application_trigger_nests_is_mirrored_too(target: TargetUrls) -> None:
    """The application's own trigger on the target writes another row of the source."""
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE FUNCTION echo_five() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               INSERT INTO public.derived (symbol, timeframe, ts, close)
               SELECT 'DXY', '1m', NEW.ts + interval '5 min', NEW.close WHERE NEW.ts < '2024-01-01 00:05Z';
               RETURN NULL; END$$;
               CREATE TRIGGER echo_five AFTER INSERT ON bars FOR EACH ROW EXECUTE FUNCTION echo_five()"""
        )

    def after_an_insert(minute: int) -> list[Any]:
        with world.app() as conn:
            conn.execute(INSERT % (minute, minute))
        return world.unequal(shape)

    assert after_an_insert(1) == []
    assert world.rows("SELECT count(*) FROM bars") == [(2,)]
    world.spoil(shape, "forward", "BEGIN\n", "BEGIN IF pg_trigger_depth() > 1 THEN RETURN NULL; END IF;\n")
    assert [key[0][2] for key in after_an_insert(2)] == ["2024-01-01 00:07:00+00"], (
        "a guard by depth loses it"
    )


def test_a_row_trigger_that_updates_the_row_again_leaves_both_sides_equal(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE FUNCTION round_close() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               UPDATE public.derived SET close = round(close) WHERE id = NEW.id AND close <> round(close);
               RETURN NULL; END$$;
               CREATE TRIGGER a_round AFTER INSERT OR UPDATE ON derived
               FOR EACH ROW EXECUTE FUNCTION round_close()"""
        )
    with world.app() as conn:
        conn.execute(INSERT % (1, 1.4))
        assert world.rows("SELECT close FROM bars") == [(1,)]
        # Passing on what the statement wrote, instead of reading the table again:
        lookup = 'FROM {} AS "s"'
        world.spoil(
            shape, "forward", lookup.format('"public"."derived"'), lookup.format("new_rows"), every=True
        )
        conn.execute("UPDATE derived SET close = 2.4")
    assert world.rows("SELECT close FROM bars") == [(2.4,)], (
        "the delta overwrites what the nested statement wrote"
    )
    assert world.unequal(shape) != []


def test_a_target_that_changes_values_itself_ends_at_the_depth_limit(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE FUNCTION drift() RETURNS trigger LANGUAGE plpgsql AS
               $$BEGIN NEW.close := NEW.close + 1; RETURN NEW; END$$;
               CREATE TRIGGER drift BEFORE INSERT OR UPDATE ON bars FOR EACH ROW EXECUTE FUNCTION drift();
               CREATE TRIGGER drift BEFORE UPDATE ON derived FOR EACH ROW EXECUTE FUNCTION drift()"""
        )
    shape = world.switch_on("forward", "reverse")
    assert "drift" in shape.warnings[0]
    with world.app() as conn:
        conn.execute(INSERT % (1, 1))
    assert world.listed(shape) == ["source"], "given up, and noted"


# -- what the trigger's rights and the session's settings must not change


def test_row_level_security_hides_nothing_from_the_mirror(
    target: TargetUrls, cluster: embedded.Cluster
) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    dbname = conninfo.conninfo_to_dict(target.runner_url)["dbname"]
    with psycopg.connect(cluster.superuser_dsn(str(dbname)), autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS clerk")
        admin.execute("CREATE ROLE clerk NOLOGIN")
        admin.execute(
            """ALTER TABLE bars ENABLE ROW LEVEL SECURITY;
               CREATE POLICY clerk_writes ON derived TO clerk USING (true) WITH CHECK (true);
               GRANT ALL ON derived, bars TO clerk;
               GRANT USAGE ON SCHEMA phasegate TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA phasegate TO clerk;
               GRANT ALL ON ALL SEQUENCES IN SCHEMA phasegate TO clerk"""
        )
        try:
            with world.app() as conn:
                conn.execute(INSERT % (1, 1))
                conn.execute(INSERT % (2, 2))
            admin.execute("SET ROLE clerk")
            admin.execute("DELETE FROM derived WHERE close = 1")
            assert world.unequal(shape) == []
            admin.execute("RESET ROLE")
            world.spoil(shape, "forward", "SECURITY DEFINER", "SECURITY INVOKER")
            admin.execute("SET ROLE clerk")
            admin.execute("DELETE FROM derived")
            assert len(world.unequal(shape)) == 1, (
                "an invoker under row-level security mirrors nothing, silently"
            )
        finally:
            admin.execute("RESET ROLE")
            admin.execute("DROP OWNED BY clerk; DROP ROLE clerk")


def test_a_session_in_replica_role_is_mirrored_too(target: TargetUrls, cluster: embedded.Cluster) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    dbname = conninfo.conninfo_to_dict(target.runner_url)["dbname"]
    with psycopg.connect(cluster.superuser_dsn(str(dbname)), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(INSERT % (1, 1))
        assert world.unequal(shape) == []
        name = shape.trigger_name("forward_insert")
        admin.execute(f'ALTER TABLE derived ENABLE TRIGGER "{name}"'.encode())
        admin.execute(INSERT % (2, 2))
        assert len(world.unequal(shape)) == 1, "a trigger that is not ALWAYS is passed by"


def test_the_sessions_settings_do_not_change_what_is_packed(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as conn:
        conn.execute(
            "SET TimeZone = 'Asia/Kolkata'; SET extra_float_digits = -5; SET IntervalStyle = 'iso_8601'"
        )
        conn.execute(INSERT % (1, "0.1 + 0.2"))
        assert world.unequal(shape) == []
        world.spoil(shape, "forward", "SET \"TimeZone\" TO 'UTC'", "SET \"TimeZone\" TO 'Asia/Kolkata'")
        conn.execute(INSERT % (2, 1))
        assert len(world.unequal(shape)) == 1, "the same moment, written in another zone, is another text"


def test_truncate_is_refused_on_both_sides_also_by_cascade(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE parent (id int PRIMARY KEY); ALTER TABLE bars ADD parent int REFERENCES parent"
        )
    world = world.with_move(left_out=(*world.move.left_out, "target.parent"))
    world.switch_on("forward")
    with world.app() as conn:
        conn.execute(INSERT % (1, 1))
        for statement in ("TRUNCATE derived", "TRUNCATE bars", "TRUNCATE parent CASCADE"):
            with pytest.raises(errors.ObjectInUse, match="refused while a migration"):
                conn.execute(statement)
    assert world.rows("SELECT count(*) FROM bars") == [(1,)]


def test_a_delete_that_cascades_into_the_source_is_mirrored(target: TargetUrls) -> None:
    world = worlds.orders_like(target)
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE TABLE shop.customer (id int PRIMARY KEY); INSERT INTO shop.customer VALUES (1), (2);
               ALTER TABLE shop.old_order
               ADD FOREIGN KEY (customer) REFERENCES shop.customer ON DELETE CASCADE"""
        )
    shape = world.switch_on("forward")
    with world.app() as conn:
        conn.execute("INSERT INTO shop.old_order SELECT c, 'a', c, now() FROM generate_series(1, 2) AS c")
        conn.execute("DELETE FROM shop.customer WHERE id = 1")
    assert world.rows("SELECT client FROM shop.new_order") == [(2,)]
    assert world.unequal(shape) == []


def test_one_statement_that_writes_both_sides_of_a_key_ends_equal(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as conn, world.runner() as runner:
        conn.execute(INSERT % (1, 1))
        conn.execute("WITH a AS (UPDATE derived SET close = 2) UPDATE bars SET close = 3")
        drain.settle(runner, world.job, shape)
    assert world.unequal(shape) == []


# -- errors


def test_a_value_that_the_target_refuses_reaches_the_application(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    with world.app() as conn, pytest.raises(errors.CheckViolation, match="bars_close_sane"):
        conn.execute(INSERT % (1, 2000000))
    assert world.rows("SELECT count(*) FROM derived") == [(0,)]
    assert world.listed(shape) == []


def test_on_error_record_lets_the_application_go_on_and_says_which_key_is_stuck(target: TargetUrls) -> None:
    world = worlds.dxy_like(target).with_move(on_error="record")
    shape = world.switch_on("forward")
    with world.app() as conn, world.runner() as runner:
        conn.execute(INSERT % (1, 2000000))
        conn.execute(INSERT % (2, 1))
        assert world.rows("SELECT close FROM bars") == [(1,)]
        conn.execute("UPDATE derived SET close = 3 WHERE close = 1")
        result = drain.settle(runner, world.job, shape)
    assert (result.drained, result.left) == (1, 1)
    assert result.stuck[0].key == ("DXY", "1m", "2024-01-01 00:01:00+00")
    assert "bars_close_sane" in result.stuck[0].error


def test_a_statement_timeout_inside_the_trigger_undoes_the_statement_on_both_sides(
    target: TargetUrls,
) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward")
    with psycopg.connect(target.owner_url, autocommit=True) as owner:
        owner.execute(
            """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
               $$BEGIN PERFORM pg_sleep(30); RETURN NULL; END$$;
               CREATE TRIGGER slow AFTER INSERT ON bars FOR EACH ROW EXECUTE FUNCTION slow()"""
        )
    with world.app() as conn:
        conn.execute("SET statement_timeout = '300ms'")
        with pytest.raises(errors.QueryCanceled):
            conn.execute(INSERT % (1, 1))
    assert world.rows("SELECT FROM derived UNION ALL SELECT FROM bars") == []
    assert world.listed(shape) == []


def test_a_statement_of_many_rows_is_mirrored_whole(target: TargetUrls) -> None:
    world = worlds.dxy_like(target)
    shape = world.switch_on("forward", "reverse")
    with world.app() as conn:
        conn.execute(
            "INSERT INTO derived (symbol, timeframe, ts, close) "
            "SELECT 'DXY', '1m', '2024-01-01Z'::timestamptz + n * interval '1 min', n "
            "FROM generate_series(1, 100000) AS n"
        )
        assert world.rows("SELECT count(*) FROM bars") == [(100000,)]
        conn.execute("UPDATE derived SET deleted_at = now() WHERE close > 10")
    assert world.rows("SELECT count(*) FROM bars") == [(10,)]
    assert world.unequal(shape) == []
