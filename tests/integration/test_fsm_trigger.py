"""The database's own guards: they hold against queryset.update(), raw SQL, and the owner of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from controlpanel.embedded_databases import ControlUrls
from migration_runs.models import AuditEvent, PhaseRun, Run, SignOff, StoredPlan
from migration_runs.states import (
    PHASE_TRANSITIONS,
    RUN_TRANSITIONS,
    PhaseState,
    RunState,
    Transition,
    may_move,
)
from tests.control import Scene

ILLEGAL = "cannot move from"


def way_to(state: str, table: tuple[Transition, ...], initial: str) -> list[str]:
    """Legal moves from the initial state to ``state``."""
    ways: dict[str, list[str]] = {initial: []}
    while state not in ways:
        for arrow in table:
            if arrow.source in ways and arrow.target not in ways:
                ways[str(arrow.target)] = [*ways[str(arrow.source)], str(arrow.target)]
    return ways[state]


def put(rows: Any, state: str, table: tuple[Transition, ...], initial: str) -> None:
    """Move rows to ``state`` by legal moves."""
    for step in way_to(state, table, initial):
        rows.update(state=step)


def moves(rows: Any, target: str) -> bool:
    """Whether the database lets rows move to ``target``; they stay where they are."""
    try:
        with transaction.atomic():
            rows.update(state=target)
            transaction.set_rollback(True)
    except IntegrityError as error:
        if ILLEGAL not in str(error):
            raise
        return False
    return True


@pytest.mark.django_db
@pytest.mark.parametrize("source", list(RunState))
def test_run_makes_exactly_the_moves_of_the_table(source: str) -> None:
    scene = Scene.draft()
    rows = Run.objects.filter(pk=scene.run_id)
    put(rows, source, RUN_TRANSITIONS, "draft")
    for target in RunState:
        legal = may_move(RUN_TRANSITIONS, source, target) or source == target
        assert moves(rows, target) == legal, f"{source} to {target}"


@pytest.mark.django_db
@pytest.mark.parametrize("source", list(PhaseState))
def test_phase_makes_exactly_the_moves_of_the_table(source: str) -> None:
    scene = Scene.draft()
    rows = PhaseRun.objects.filter(run_id=scene.run_id, number=1)
    put(rows, source, PHASE_TRANSITIONS, "pending")
    for target in PhaseState:
        legal = may_move(PHASE_TRANSITIONS, source, target) or source == target
        assert moves(rows, target) == legal, f"{source} to {target}"


@pytest.mark.django_db
def test_run_and_phase_begin_in_their_first_state() -> None:
    scene = Scene.draft()
    run = scene.run
    copy = {
        field.attname: getattr(run, field.attname)
        for field in Run._meta.concrete_fields
        if field.attname not in {"id", "uid", "state"}
    }
    with pytest.raises(IntegrityError, match="starts as draft"), transaction.atomic():
        Run.objects.create(**copy, state="approved")
    with pytest.raises(IntegrityError, match="starts as pending"), transaction.atomic():
        PhaseRun.objects.create(
            run=run, number=1, key="x", state="done", planned_start=run.planned_start, planned_minutes=1
        )


@pytest.mark.django_db
def test_plan_of_a_run_is_fixed_once_it_is_submitted() -> None:
    scene = Scene.draft()
    rows = Run.objects.filter(pk=scene.run_id)
    rows.update(data_decision="delete")
    rows.update(state="awaiting_approval")
    for change in ({"data_decision": "keep"}, {"target": "other"}, {"source_table": "x.y"}):
        with pytest.raises(IntegrityError, match="cannot be changed any more"), transaction.atomic():
            rows.update(**change)


@pytest.mark.django_db
def test_second_active_run_on_a_table_is_refused_by_the_database_itself() -> None:
    first, second = Scene.draft(), Scene.draft()
    Run.objects.filter(pk=first.run_id).update(state="awaiting_approval")
    with pytest.raises(IntegrityError, match="one_active_run_per"), transaction.atomic():
        Run.objects.filter(pk=second.run_id).update(state="awaiting_approval")


FORBIDDEN_TO_APP = [
    "UPDATE migration_runs_auditevent SET actor = 'nobody'",
    "DELETE FROM migration_runs_auditevent",
    "TRUNCATE migration_runs_auditevent",
    "DELETE FROM migration_runs_signoff",
    "UPDATE migration_runs_signoff SET approved = true",
    "UPDATE migration_runs_storedplan SET body = '{}'",
    "DELETE FROM migration_runs_storedplan",
    "DELETE FROM migration_runs_run",
    "TRUNCATE migration_runs_run CASCADE",
    "UPDATE migration_runs_confirmation SET evidence = ''",
    "DELETE FROM migration_runs_logline",
    "ALTER TABLE migration_runs_auditevent DISABLE TRIGGER ALL",
    "DROP FUNCTION phasegate_guard_append_only() CASCADE",
    "CREATE OR REPLACE FUNCTION phasegate_guard_refuse() RETURNS trigger LANGUAGE plpgsql AS ''",
    "SET session_replication_role = replica",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'x', now())",
]


@pytest.mark.django_db
@pytest.mark.parametrize("statement", FORBIDDEN_TO_APP)
def test_app_role_lacks_the_privilege(statement: str) -> None:
    Scene.draft()
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
        connection.cursor().execute(statement)


FORBIDDEN_TO_OWNER = [
    "UPDATE migration_runs_auditevent SET actor = 'nobody'",
    "DELETE FROM migration_runs_auditevent",
    "TRUNCATE migration_runs_auditevent",
    "UPDATE migration_runs_storedplan SET slug = 'other'",
    "DELETE FROM migration_runs_signoff",
    "UPDATE migration_runs_signoff SET comment = 'other'",
    "TRUNCATE migration_runs_run CASCADE",
    "DELETE FROM migration_runs_phaserun",
    "UPDATE migration_runs_run SET state = 'completed'",
    "UPDATE migration_runs_run SET uid = gen_random_uuid()",
    "UPDATE migration_runs_phaserun SET number = 9 WHERE number = 1",
]


@pytest.fixture
def owner(control_db: ControlUrls) -> Iterator[psycopg.Connection]:
    """A session of the owner role, beside a run that was approved."""
    Scene.approved()
    with psycopg.connect(control_db.owner_url, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("statement", FORBIDDEN_TO_OWNER)
def test_owner_is_refused_as_well_and_no_setting_helps(
    owner: psycopg.Connection, statement: str, ignoring: bool
) -> None:
    if ignoring:
        names = owner.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'").fetchall()
        ignored = ",".join(str(name) for (name,) in names)
        owner.execute("SELECT set_config('pgtrigger.ignore', %s, false)", ["{" + ignored + "}"])
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(statement)


@pytest.mark.django_db
def test_void_mark_of_a_signature_is_set_once() -> None:
    scene = Scene.approved()
    rows = SignOff.objects.filter(run_id=scene.run_id)
    rows.update(void_at=scene.run.created_at, void_reason="first")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        rows.update(void_at=None, void_reason="")


@pytest.mark.django_db
def test_event_that_does_not_follow_the_last_one_is_refused() -> None:
    Scene.draft()
    last = AuditEvent.objects.order_by("seq").last()
    assert last is not None
    with pytest.raises(IntegrityError, match="does not follow"), transaction.atomic():
        AuditEvent.objects.create(
            seq=last.seq + 2, at=last.at, actor="x", actor_how="x", action="x", object="x",
            prev_hash=last.hash, hash="0" * 64,
        )  # fmt: skip
    with pytest.raises(IntegrityError, match="does not follow"), transaction.atomic():
        AuditEvent.objects.create(
            seq=last.seq + 1, at=last.at, actor="x", actor_how="x", action="x", object="x",
            prev_hash="0" * 64, hash="0" * 64,
        )  # fmt: skip


@pytest.mark.django_db
def test_state_is_moved_by_transitions_alone() -> None:
    run = Scene.draft().run
    with pytest.raises(AttributeError):
        run.state = "approved"
    run.refresh_from_db()
    assert run.state == "draft"
    assert StoredPlan.objects.filter(pk=run.plan_id).exists()
