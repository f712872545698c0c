"""The ``verify`` step: lag is drained and waited for, what no draining cures is a failure that names it."""

from __future__ import annotations

import psycopg

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

FORWARD = {"kind": "dual_write", "key": "forward", "title": "forward", "direction": "forward"}
VERIFY = {"kind": "verify", "key": "verify", "title": "verify"}


def _mirrored(target: TargetUrls) -> Job:
    """A run with forward sync on, whose mirror lets the application go on when the target refuses a row."""
    stepping.make_tables(target)
    stepping.execute(
        target, "ALTER TABLE public.new_things ADD CONSTRAINT no_swearing CHECK (body <> 'damn')"
    )
    body = plans.plan({1: [FORWARD], 2: [VERIFY]}).model_dump(mode="json")
    body["runbook"]["move"]["on_error"] = "record"
    job = stepping.job(Plan.model_validate(body), target, phase=1)
    outcome = runner.run_phase(job, Memory())
    assert outcome.status == "finished", outcome.error
    with psycopg.connect(target.app_url) as conn:
        conn.execute("INSERT INTO public.old_things VALUES (1, 'well'), (7, 'damn')")
    return job


def test_a_row_that_the_target_refuses_fails_the_step_and_is_named(target: TargetUrls) -> None:
    job = _mirrored(target)
    outcome = runner.run_phase(stepping.again(job, phase=2), Memory())
    assert (outcome.status, outcome.step) == ("failed", "verify")
    assert "(7)" in outcome.error
    assert "no_swearing" in outcome.error
    assert "retry" in outcome.next_step


def test_rows_that_only_wait_to_be_drained_are_drained_and_then_equal(target: TargetUrls) -> None:
    job = _mirrored(target)
    stepping.execute(target, "ALTER TABLE public.new_things DROP CONSTRAINT no_swearing")
    outcome = runner.run_phase(stepping.again(job, phase=2), Memory())
    assert outcome.status == "finished", outcome.error
    assert stepping.one(target, "SELECT count(*) FROM public.new_things") == 2
