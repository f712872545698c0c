"""The world of the fault tests without any fault, and invariants that see what is broken on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest
from django.db import transaction

from migration_runs.models import AuditEvent
from migration_runs.services import audit
from migration_runs.services.people import worker_actor
from tests.faults import invariants
from tests.faults.scene import until
from tests.faults.world import Stage, World

pytestmark = pytest.mark.faults


def test_without_a_fault_the_run_goes_through_and_back_and_nothing_is_violated(world: World) -> None:
    with world.stage(2) as stage:
        stage.start_processes()
        stage.driver.to_start_of(6)
        assert invariants.violations(stage) == []
        stage.come_alive()
        stage.driver.to_start_of(10)
        assert invariants.violations(stage) == []
        stage.come_alive()
        stage.driver.to_rolled_back()
        assert invariants.violations(stage) == []
        assert stage.driver.rescues == []


def _lose_a_row(stage: Stage) -> None:
    """Behind the triggers, so that the other table still has it."""
    _execute(
        stage,
        "ALTER TABLE things_new DISABLE TRIGGER ALL; DELETE FROM things_new WHERE kind = 'thing' AND n = 7; "
        "ALTER TABLE things_new ENABLE TRIGGER ALL",
    )


def _lose_it_on_both_sides(stage: Stage) -> None:
    _execute(
        stage,
        "UPDATE things_old SET deleted_at = now() WHERE kind = 'thing' AND n = 7 AND deleted_at IS NULL",
    )


def _double_the_readers_view(stage: Stage) -> None:
    _execute(
        stage,
        "CREATE OR REPLACE FUNCTION things_seen() RETURNS TABLE (n bigint, body text) LANGUAGE sql STABLE AS "
        "$$ SELECT n, body FROM things_old WHERE kind = 'thing' AND deleted_at IS NULL "
        "UNION ALL SELECT n, body FROM things_new WHERE kind = 'thing' $$",
    )


def _leave_an_invalid_index(stage: Stage) -> None:
    _execute(stage, "CREATE INDEX broken ON things_old (body)")
    _execute(stage, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")


def _tell_a_move_twice(stage: Stage) -> None:
    told = AuditEvent.objects.filter(run=stage.run, action="phase.finish").order_by("-seq")[0]
    with transaction.atomic():
        audit.append(
            actor=worker_actor("w"), run=stage.run, action=told.action, object=told.object, detail=told.detail
        )


def _change_an_event(stage: Stage) -> None:
    with psycopg.connect(stage.world.cluster.superuser_dsn(stage.world.control.dbname)) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE migration_runs_auditevent SET actor = 'nobody' WHERE seq = 2")


BROKEN: dict[str, tuple[Callable[[Stage], None], str]] = {
    "a row lost in one table": (_lose_a_row, "source and target differ: 1 missing"),
    "a row lost in both": (_lose_it_on_both_sides, "thing 7 is None in the old table"),
    "a reader that sees twice": (_double_the_readers_view, "the reader sees"),
    "an invalid index": (_leave_an_invalid_index, "invalid index broken"),
    "a move told twice": (_tell_a_move_twice, "the audit tells of phase 4"),
    "an event changed": (_change_an_event, "the audit breaks at event 2"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_invariant_sees_what_is_broken(world: World, what: str) -> None:
    breaking, words = BROKEN[what]
    with world.stage(5) as stage:
        until(lambda: _alive(stage), "the writer and the reader are at work")
        assert invariants.violations(stage) == []
        breaking(stage)
        assert any(words in text for text in invariants.violations(stage)), invariants.violations(stage)


def test_the_live_writer_and_reader_tell_what_they_see(world: World) -> None:
    with world.stage(5) as stage:
        until(lambda: _alive(stage), "the writer and the reader are at work")
        for table, change in (
            ("old", "UPDATE things_old SET deleted_at = now()"),
            ("new", "DELETE FROM things_new"),
        ):
            # Behind the triggers: what they have touched may lag, and a reader must bear with it.
            _execute(
                stage,
                f"ALTER TABLE things_{table} DISABLE TRIGGER ALL; {change} WHERE kind = 'thing' AND n = 7; "
                f"ALTER TABLE things_{table} ENABLE TRIGGER ALL",
            )
        until(lambda: bool(stage.reader and stage.reader.violations), "the reader misses a thing")
        _execute(stage, "ALTER TABLE things_old ADD CONSTRAINT never CHECK (body <> body) NOT VALID")
        until(lambda: bool(stage.writer and stage.writer.errors), "the writer is refused")
        found = "\n".join(invariants.violations(stage))
        assert "thing 7 was seen as None" in found
        assert "writer: CheckViolation" in found


def test_a_transaction_of_ours_left_open_is_seen(world: World) -> None:
    with (
        world.stage(5) as stage,
        psycopg.connect(stage.world.target.dsn, application_name="phasegate/forgotten") as conn,
    ):
        conn.execute("LOCK TABLE things_old IN ACCESS SHARE MODE")
        found = invariants.nothing_left_behind(stage)
        assert any("phasegate/forgotten idle in transaction" in text for text in found)


def _alive(stage: Stage) -> bool:
    time.sleep(0.05)
    return bool(stage.writer and stage.writer.rounds > 20 and stage.reader and stage.reader.rounds > 2)


def _execute(stage: Stage, text: str) -> None:
    with psycopg.connect(stage.world.target.dsn, autocommit=True) as conn:
        conn.execute(text.encode())
