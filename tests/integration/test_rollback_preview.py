"""What a rollback would do is told from the ledger, before anybody clicks, and changes nothing."""

from __future__ import annotations

import uuid

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import rollback, runner
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=3)


def test_a_run_that_did_nothing_has_nothing_to_undo(target: TargetUrls) -> None:
    found = rollback.preview(plans.plan(), run_uid=uuid.uuid4(), target_url=target.runner_url)
    assert found.items == ()
    assert stepping.one(target, "SELECT to_regnamespace('phasegate') IS NULL")


def test_what_was_applied_is_listed_last_first_with_rows_and_questions(target: TargetUrls) -> None:
    image = {"rows": [{"table": "public.old_things", "where": {"id": 1}}]}
    kept = {"functions": ["public.calc(int)"], "keep_if": "keep"}
    steps = {
        3: [
            plans.sql_step("never_undone", "SELECT 1"),
            plans.sql_step("files", "SELECT 1", undo="SELECT 2"),
            {**plans.sql_step("rows", "SELECT 1"), "before_image": image},
            {**plans.sql_step("kept", "SELECT 1"), "before_image": kept},
        ],
        7: [{**plans.confirm_step("deploy"), "undo_text": "the old build runs"}],
    }
    plan = plans.plan(steps)
    job = stepping.job(plan, target, phase=3)
    assert runner.run_phase(job, Memory()).status == "finished"
    assert runner.run_phase(stepping.again(job, phase=7), Memory()).status == "waiting"
    found = rollback.preview(plan, run_uid=job.run_uid, target_url=target.runner_url)
    assert [(item.phase, item.step, item.rows) for item in found.items] == [
        (7, "deploy", 0),
        (3, "kept", 0),
        (3, "rows", 1),
        (3, "files", 0),
    ]
    assert "only begun" in found.items[0].action
    assert found.asks == ("engineer: the old build runs",)
    assert "public.calc(int)" in found.keeps[0]
    assert found.data_decision == "keep"
    assert found.obstacles == ()


def test_what_was_undone_is_no_longer_listed(target: TargetUrls) -> None:
    plan = plans.plan({3: [plans.sql_step("files", "SELECT 1", undo="SELECT 2")]})
    job, _, _ = stepping.run(plan, target)
    runner.undo_phase(stepping.again(job), Memory())
    assert rollback.preview(plan, run_uid=job.run_uid, target_url=target.runner_url).items == ()
