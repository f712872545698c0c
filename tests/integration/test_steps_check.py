"""``check``: a failing check with patience is asked again; it knows when the code was switched."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration.stepping import Memory, again, execute, job, make_tables

COUNT_ROWS = "SELECT count(*) AS value, 'rows' AS detail FROM public.old_things"
SINCE = "SELECT count(%(since)s::timestamptz) AS value, 'moment' AS detail"


def _plan(text: str, **step: Any) -> Plan:
    check = {"kind": "check", "key": "look", "title": "look", "check": "rows", **step}
    return plans.plan({6: [check]}, checks=[plans.check("rows", text, passes={"at_least": 1})])


def test_check_that_fails_fails_its_step_at_once_without_patience(target: TargetUrls) -> None:
    make_tables(target)
    outcome = runner.run_phase(job(_plan(COUNT_ROWS), target, phase=6), Memory())
    assert outcome.status == "failed"
    assert "fail: 0 (rows)" in outcome.error


def test_check_with_patience_waits_and_passes_once_it_holds(target: TargetUrls) -> None:
    make_tables(target)
    work = job(_plan(COUNT_ROWS, patience_s=60), target, phase=6)
    first = runner.run_phase(work, Memory())
    assert first.status == "waiting"
    assert first.waiting is not None
    assert first.waiting.kind == "observation"
    execute(target, "INSERT INTO public.old_things VALUES (1, 'one')")
    second = runner.run_phase(dataclasses.replace(again(work), attempt=work.attempt), Memory())
    assert second.status == "finished"


def test_patience_ends_and_a_new_attempt_has_it_again(target: TargetUrls) -> None:
    make_tables(target)
    work = job(_plan(COUNT_ROWS, patience_s=60), target, phase=6)
    assert runner.run_phase(work, Memory()).status == "waiting"
    execute_as_ledger_owner = (
        "UPDATE phasegate.step SET details = jsonb_set(details, '{asked_from}', "
        "to_jsonb((clock_timestamp() - interval '2 minutes')::text))"
    )
    _execute_as_runner(target, execute_as_ledger_owner)
    same = dataclasses.replace(again(work), attempt=work.attempt)
    assert runner.run_phase(same, Memory()).status == "failed"
    assert runner.run_phase(again(same), Memory()).status == "waiting"


def test_check_of_phase_six_knows_when_phase_five_was_finished(target: TargetUrls) -> None:
    make_tables(target)
    plan = _plan(SINCE)
    work = job(plan, target, phase=6)
    assert runner.run_phase(work, Memory()).status == "failed"  # phase 5 never ran: no moment to count from
    assert runner.run_phase(again(work, phase=5), Memory()).status == "finished"
    assert runner.run_phase(again(again(work), phase=6), Memory()).status == "finished"


def _execute_as_runner(target: TargetUrls, statement: str) -> None:

    with psycopg.connect(target.runner_url) as conn:
        conn.execute(statement.encode())
