"""Draining beside the phases: what waits is settled, and what waiting does not cure is told."""

from __future__ import annotations

import psycopg

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs import beside, execution
from migration_runs.models import LogLine, PhaseRun
from migration_runs.runbook.plan import Plan
from tests import plans, runs

FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}


def _mirrored(target: TargetUrls) -> PhaseRun:
    """A run whose forward sync is on and lets the application go on when a mirror fails."""
    runs.make_tables(target.owner_url)
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("ALTER TABLE new_things ADD CONSTRAINT no_swearing CHECK (body <> 'damn')")
    body = plans.plan({1: [FORWARD]}).model_dump(mode="json")
    body["runbook"]["move"]["on_error"] = "record"
    phase = runs.run_in_phase(Plan.model_validate(body))
    assert execution.execute(phase.pk)
    phase.refresh_from_db()
    assert phase.error == ""
    return phase


def _write(target: TargetUrls, statement: str) -> None:
    with psycopg.connect(target.app_url) as conn:
        conn.execute(statement.encode())


def test_a_key_that_cannot_be_drained_is_told_once_with_its_reason_until_it_is_corrected(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    phase = _mirrored(target)
    _write(target, "INSERT INTO old_things VALUES (7, 'damn')")
    for _ in range(3):
        beside.drain_run(phase.run_id)
    (told,) = LogLine.objects.filter(run_id=phase.run_id, level="warn", text__contains="cannot be made equal")
    assert "(7)" in told.text
    assert "no_swearing" in told.text
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("ALTER TABLE new_things DROP CONSTRAINT no_swearing")
    assert beside.drain_run(phase.run_id) == 1
    with psycopg.connect(target.owner_url) as conn:
        assert conn.execute("SELECT id, body FROM new_things").fetchall() == [(7, "damn")]
