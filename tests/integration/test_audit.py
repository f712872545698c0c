"""The audit trail: a chain that shows every edit, gap and cut, kept whole under concurrency."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlpanel.embedded_databases import ControlUrls
from migration_runs.models import AuditEvent
from migration_runs.services import audit
from migration_runs.services.people import worker_actor

WORKER = worker_actor("test")


def tell(*details: Any) -> None:
    for detail in details or ({},):
        with transaction.atomic():
            audit.append(actor=WORKER, action="test", object="a thing", detail=detail)


def as_superuser(dsn: str, statement: str) -> None:
    """What somebody with every right might do: triggers off, then the statement."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute(statement)


@pytest.mark.django_db
def test_trail_begins_empty_and_grows_without_gaps() -> None:
    assert audit.verify() == audit.Verified(events=0, head=audit.Head(0, ""))
    tell({}, {}, {})
    assert list(AuditEvent.objects.values_list("seq", flat=True)) == [1, 2, 3]
    result = audit.verify()
    assert result.intact
    assert result.events == 3
    assert result.head == audit.head()


@pytest.mark.django_db
def test_event_without_a_transaction_is_refused() -> None:
    connection.in_atomic_block = False
    try:
        with pytest.raises(transaction.TransactionManagementError):
            audit.append(actor=WORKER, action="test", object="a thing")
    finally:
        connection.in_atomic_block = True


@pytest.mark.django_db
def test_event_stands_or_falls_with_its_cause() -> None:
    tell()
    try:
        with transaction.atomic():
            audit.append(actor=WORKER, action="test", object="never happened")
            raise RuntimeError
    except RuntimeError:
        pass
    tell()
    assert audit.verify().events == 2


@pytest.mark.parametrize(
    ("change", "broken_at", "why"),
    [
        ("UPDATE migration_runs_auditevent SET actor = 'nobody' WHERE seq = 2", 2, "it was changed"),
        ("UPDATE migration_runs_auditevent SET detail = '{\"n\": 9}' WHERE seq = 2", 2, "it was changed"),
        ("UPDATE migration_runs_auditevent SET detail = '[]' WHERE seq = 5", 5, "it was changed"),
        ("UPDATE migration_runs_auditevent SET detail = '{\"n\": [2]}' WHERE seq = 6", 6, "it was changed"),
        (
            'UPDATE migration_runs_auditevent SET detail = \'{"n": "a", "m": ["b, c"]}\' WHERE seq = 7',
            7,
            "it was changed",
        ),
        ("UPDATE migration_runs_auditevent SET prev_hash = '' WHERE seq = 4", 4, "does not name"),
        ("UPDATE migration_runs_auditevent SET seq = 0 WHERE seq = 1", 1, "event 1 is missing"),
        ("UPDATE migration_runs_auditevent SET at = at + interval '1 us' WHERE seq = 3", 3, "it was changed"),
        ("DELETE FROM migration_runs_auditevent WHERE seq = 2", 2, "event 2 is missing"),
        ("DELETE FROM migration_runs_auditevent WHERE seq = 1", 1, "event 1 is missing"),
    ],
)
@pytest.mark.parametrize("stretch", [2, 1000])
def test_edit_or_gap_is_found_at_its_place(
    cluster: Any,
    control_db: ControlUrls,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    broken_at: int,
    why: str,
    stretch: int,
) -> None:
    monkeypatch.setattr(audit, "STRETCH", stretch)
    tell({"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {}, {"n": [1], "b": {"c": 1e-7}}, {"n": "a", "m": ["b,c"]})
    assert audit.verify().intact
    as_superuser(cluster.superuser_dsn(connection.settings_dict["NAME"]), change)
    result = audit.verify()
    assert (result.intact, result.broken_at) == (False, broken_at)
    assert why in result.why
    assert result.events == broken_at - 1
    with pytest.raises(SystemExit):
        call_command("audit", "verify")


def test_tail_that_was_cut_off_shows_against_a_noted_head(cluster: Any, control_db: ControlUrls) -> None:
    tell({}, {}, {})
    noted = audit.head()
    text = f"{noted.seq}:{noted.hash}"
    assert audit.cut_off(text) == ""
    as_superuser(
        cluster.superuser_dsn(connection.settings_dict["NAME"]),
        "DELETE FROM migration_runs_auditevent WHERE seq = 3",
    )
    assert audit.verify().intact
    assert "cut off" in audit.cut_off(text)
    tell({"another": True})
    assert "another than the noted one" in audit.cut_off(text)


def test_many_writers_at_once_keep_one_chain(control_db: ControlUrls) -> None:
    def write(name: int) -> None:
        try:
            for n in range(10):
                tell({"writer": name, "n": n})
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = audit.verify()
    assert result.intact
    assert result.events == 60


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
PLAIN = st.none() | st.booleans() | st.integers() | TEXT
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detail=st.dictionaries(TEXT, JSON, max_size=3))
def test_whatever_detail_is_stored_hashes_alike_when_read_back(detail: dict[str, Any]) -> None:
    with transaction.atomic():
        event = audit.append(actor=WORKER, action="test", object="a thing", detail=detail)
    read = AuditEvent.objects.get(pk=event.pk)
    assert audit.hash_of(read) == read.hash == event.hash
    assert audit.verify().intact


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detail=st.dictionaries(TEXT, PLAIN | st.lists(PLAIN, max_size=3), max_size=4))
def test_plain_details_are_verified_without_reading_them_out(detail: dict[str, Any]) -> None:
    with transaction.atomic():
        audit.append(actor=WORKER, action="test", object="a thing", detail=detail)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audit, "_first_changed", lambda unshown: unshown[0] if unshown else None)
            assert audit.verify().intact


def test_an_event_that_was_hashed_as_another_is_not_written(
    control_db: ControlUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_hashed_around", lambda _: ("a", "b", "c"))
    with pytest.raises(RuntimeError, match="hashed as another"):
        tell()
    assert audit.head().seq == 0


def test_details_of_every_kind_have_a_plain_form() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert audit.plain({"at": moment, "set": {1}, "whole": 3.0, "nul": "a\x00b"}) == {
        "at": "2026-01-02T03:04:05+00:00", "set": [1], "whole": 3, "nul": "a\\x00b",
    }  # fmt: skip
    with pytest.raises(TypeError, match="no place in an audit event"):
        audit.plain(object())


@pytest.mark.django_db
def test_command_verifies_prints_the_head_and_exports(capsys: pytest.CaptureFixture[str]) -> None:
    tell({"n": 1}, {"n": 2})
    call_command("audit", "verify", "--json")
    assert json.loads(capsys.readouterr().out)["verified"] is True
    call_command("audit", "head")
    head = capsys.readouterr().out.strip()
    assert head == f"2:{audit.head().hash}"
    call_command("audit", "verify", "--head", head)
    assert "2 events" in capsys.readouterr().out
    call_command("audit", "export")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["detail"] for line in lines] == [{"n": 1}, {"n": 2}]
    assert lines[1]["prev_hash"] == lines[0]["hash"]
