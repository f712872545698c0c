"""What reports of the verification do to a run: what is unclean or late holds phase 8 and locks phase 9."""

from __future__ import annotations

import dataclasses
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs import beside, sweeper, verifying
from migration_runs.engine.outcome import RuleFound
from migration_runs.exceptions import Refused
from migration_runs.models import (
    MonitoringWindow,
    VerificationBucket,
    VerificationPass,
    VerificationReport,
)
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import gates, verification, verification_passes, verification_schedule
from migration_runs.services.runs import resume_run
from migration_runs.states import RunState
from tests import plans, runs
from tests.control import CLEAN, DIRTY, HOW, Scene
from tests.integration.test_services_checks import SLOW, monitoring
from tests.integration.windows import owner_url

pytestmark = pytest.mark.usefixtures("control_db")

TOUCHED = VerificationReport.Kind.TOUCHED
BROKEN = RuleFound(key="no_gaps", title="No gaps", severity="fail", offending=3, examples=(), seconds=0.1)


def ready_for_cleanup() -> Scene:
    """Phase 8 is over, source and target are verified, and the start is approved."""
    scene = Scene.at_phase(9)
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, gates.start_gate(9))
    return scene


def test_an_overdue_key_holds_phase_8_although_no_difference_is_without_reason() -> None:
    scene = monitoring(**SLOW)
    lagging = dataclasses.replace(CLEAN, pending=2, overdue=2, pending_s=600.0)
    report = verification.record(scene.run_id, lagging, kind=TOUCHED)
    assert not report.clean
    assert scene.run.state == RunState.ON_HOLD
    assert "2 overdue rows" in scene.run.hold_reason


def test_lag_alone_is_no_fault() -> None:
    scene = monitoring(**SLOW)
    assert verification.record(scene.run_id, dataclasses.replace(CLEAN, pending=2, pending_s=1.0)).clean
    assert scene.run.state == RunState.IN_PROGRESS


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        (BROKEN, True),
        (dataclasses.replace(BROKEN, offending=0, error="there is no table x"), True),
        (dataclasses.replace(BROKEN, severity="warn"), False),
        (dataclasses.replace(BROKEN, offending=0), False),
    ],
)
def test_a_broken_rule_holds_phase_8_unless_it_only_warns(rule: RuleFound, held: bool) -> None:
    scene = monitoring(**SLOW)
    report = verification.record(scene.run_id, CLEAN, rules=[rule])
    assert report.clean is not held
    assert scene.run.state == (RunState.ON_HOLD if held else RunState.IN_PROGRESS)
    assert ("no_gaps" in scene.run.hold_reason) is held


def test_an_unclean_look_after_a_clean_pass_locks_the_cleanup_until_a_clean_look() -> None:
    scene = ready_for_cleanup()
    verification.record(scene.run_id, DIRTY, kind=TOUCHED)
    assert scene.run.state == RunState.ON_HOLD
    resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    with pytest.raises(Refused, match=r"last look at what was touched .* found 1 missing"):
        scene.start(9)
    verification.record(scene.run_id, CLEAN, kind=TOUCHED)
    scene.start(9)
    assert scene.phase(9).state == "running"


def test_a_clean_look_is_no_full_verification() -> None:
    scene = Scene.at_phase(9)
    verification.record(scene.run_id, CLEAN, kind=TOUCHED)
    with pytest.raises(Refused, match="have not been verified yet"):
        scene.start(9)


def test_a_full_pass_that_began_before_the_window_does_not_open_the_cleanup() -> None:
    """Its first buckets say nothing of the day that was watched."""
    scene = Scene.at_phase(9)
    current = verification_passes.begin(scene.run_id, digests=False)
    _owner("UPDATE migration_runs_verificationpass SET started_at = started_at - interval '1 day'")
    current.refresh_from_db()
    verification.record(scene.run_id, CLEAN, part_of=current)
    with pytest.raises(Refused, match="since monitoring began"):
        scene.start(9)


def test_an_old_full_verification_does_not_open_the_cleanup(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = ready_for_cleanup()
    monkeypatch.setattr(verification_schedule, "fresh_for", lambda *_: timedelta(0))
    with pytest.raises(Refused, match="too long ago"):
        scene.start(9)


def test_a_verification_that_does_not_come_holds_phase_8_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = monitoring(**SLOW)
    assert verification.mark_overdue() == []
    verification_passes.begin(scene.run_id, digests=False)
    verification_passes.trouble(scene.run_id, "the target cannot be reached")
    monkeypatch.setattr(verification_schedule, "fresh_for", lambda *_: timedelta(0))
    assert verification.mark_overdue() == [scene.run_id]
    assert scene.run.state == RunState.ON_HOLD
    assert "no verification was completed since" in scene.run.hold_reason
    assert "the target cannot be reached" in scene.run.hold_reason
    assert MonitoringWindow.objects.get(run_id=scene.run_id).ended_at is not None
    assert verification.mark_overdue() == []


def test_a_report_in_time_keeps_the_run_going(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = monitoring(**SLOW)
    monkeypatch.setattr(verification_schedule, "LATE_AT_LEAST", timedelta(seconds=0))
    verification.record(scene.run_id, CLEAN)
    assert verification.mark_overdue() == []


# -- passes and looks with a target


def _owner(statement: str) -> None:
    with psycopg.connect(owner_url(), autocommit=True) as owner:
        table = statement.split()[1]
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        owner.execute(statement.encode())
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())


def small(target: TargetUrls, *, rows: int = 50, plan: Plan | None = None) -> int:
    """A run in phase 8 whose two tables are equal; its id."""
    runs.make_tables(target.owner_url, rows=rows)
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("INSERT INTO new_things SELECT * FROM old_things")
    return runs.run_in_phase(plan or plans.plan(), number=8).run_id


def with_rules(*rules: dict[str, Any]) -> Plan:
    body = plans.plan().model_dump(mode="json")
    body["runbook"]["rules"] = list(rules)
    return Plan.from_json(body)


def rule(text: str, **more: Any) -> dict[str, Any]:
    return {"key": "short", "title": "Bodies are short", "sql": plans.sql_file(text), **more}


def test_buckets_are_kept_and_used_again(control_db: ControlUrls, target: TargetUrls) -> None:
    run_id = small(target)
    for number in (1, 2):
        report = beside.verify_run(run_id)
        assert report is not None
        assert (report.clean, report.number, report.buckets) == (True, number, 1)
    bucket = VerificationBucket.objects.get(run=run_id)
    assert (bucket.lo, bucket.hi, bucket.rows, bucket.clean) == ("", "", 50, True)
    assert VerificationPass.objects.filter(run=run_id, finished_at=None).count() == 0


def test_digests_are_kept_with_their_buckets(control_db: ControlUrls, target: TargetUrls) -> None:
    run_id = small(target)
    assert verifying.full(run_id, digests=True).digests
    bucket = VerificationBucket.objects.get(run=run_id)
    assert bucket.digest_rows == 50
    assert bucket.digest
    beside.verify_run(run_id)
    bucket.refresh_from_db()
    assert bucket.digest, "a pass without digests keeps the evidence of the one before"


def test_a_look_needs_no_dual_write_and_reports_the_end(control_db: ControlUrls, target: TargetUrls) -> None:
    run_id = small(target)
    report = beside.look_at_touched(run_id)
    assert report is not None
    assert (report.kind, report.clean, report.source_rows, report.tail) == (TOUCHED, True, 50, '["50"]')


def test_looks_are_due_again_and_again(control_db: ControlUrls, target: TargetUrls) -> None:
    run_id = small(target)
    assert sweeper.look_due(run_id)
    beside.look_at_touched(run_id)
    assert not sweeper.look_due(run_id)
    _owner("UPDATE migration_runs_verificationreport SET at = at - interval '1 minute'")
    assert sweeper.look_due(run_id)


def test_a_rule_is_asked_and_reported_with_its_rows(control_db: ControlUrls, target: TargetUrls) -> None:
    run_id = small(
        target,
        plan=with_rules(
            rule("SELECT id, 'body ' || body AS detail FROM public.new_things WHERE id IN (7, 8);"),
            rule(
                "SELECT id, '' AS detail FROM public.new_things "
                "WHERE id >= coalesce(%(lo)s, id) AND id <= coalesce(%(hi)s, id)",
                key="every",
                severity="warn",
                examples=3,
            ),
        ),
    )
    report = beside.verify_run(run_id)
    assert report is not None
    assert not report.clean
    assert report.missing == report.extra == report.different == 0
    by_key = {one["key"]: one for one in report.rules}
    assert by_key["short"]["offending"] == 2
    assert by_key["short"]["examples"][0] == {"id": "7", "detail": "body body 7"}
    assert (by_key["every"]["offending"], len(by_key["every"]["examples"])) == (50, 3)
    latest = beside.recent_verification(run_id, plans.plan())
    assert latest is not None
    assert latest.broken_rules == ("short",)
    assert not latest.clean


def test_what_breaks_a_rule_only_for_a_moment_is_no_fault(
    control_db: ControlUrls, target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed writes a row, and what belongs to it in its next transaction."""
    run_id = small(target, plan=with_rules(rule("SELECT id, 'x' AS detail FROM public.effects")))
    with psycopg.connect(target.owner_url, autocommit=True) as conn:
        conn.execute("INSERT INTO effects (what) VALUES ('half')")
        monkeypatch.setattr(time, "sleep", lambda _: conn.execute("DELETE FROM effects"))
        report = beside.verify_run(run_id)
    assert report is not None
    assert report.clean
    assert report.rules[0]["offending"] == 0


def test_a_rule_that_cannot_be_asked_is_no_rule_that_holds(
    control_db: ControlUrls, target: TargetUrls
) -> None:
    run_id = small(target, plan=with_rules(rule("SELECT id, '' AS detail FROM public.nowhere")))
    report = beside.verify_run(run_id)
    assert report is not None
    assert not report.clean
    assert 'relation "public.nowhere" does not exist' in report.rules[0]["error"]


def test_the_report_is_of_now(control_db: ControlUrls, target: TargetUrls) -> None:
    before = timezone.now()
    report = beside.verify_run(small(target))
    assert report is not None
    assert before - timedelta(seconds=5) < report.started_at <= report.at
