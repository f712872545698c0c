"""Health checks: measured on the target's clock, judged by declared bounds, never silent."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import bounds, health, runner
from migration_runs.engine.outcome import CheckOutcome, Verification
from migration_runs.runbook.monitoring import Bound, Session
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 7, 12, tzinfo=UTC)
SUNDAY_REOPENED = datetime(2026, 11, 8, 22, 10, tzinfo=UTC)
FX = (Session(opens="Sun 22:00", closes="Fri 22:00"),)


def plan_at(market: datetime, check: dict[str, Any], *, speed: float = 1.0) -> Plan:
    plan = plans.plan(checks=[check], clock=f"SELECT timestamptz '{market.isoformat()}'", clock_speed=speed)
    window = plan.runbook.window.model_copy(update={"sessions": FX})
    return plan.model_copy(update={"runbook": plan.runbook.model_copy(update={"window": window})})


def run(
    target: TargetUrls, check: dict[str, Any], *, at: datetime = MONDAY, speed: float = 1.0, **more: Any
) -> CheckOutcome:
    job = stepping.job(plan_at(at, check, speed=speed), target, phase=8)
    return health.run_check(dataclasses.replace(job, **more), "measured", since=None)


def measuring(value: str, **more: Any) -> dict[str, Any]:
    detail = "'as seen'"
    check = plans.check("measured", f"SELECT {value} AS value, {detail} AS detail", passes={"below": 300})
    return {**check, "unit": "seconds", **more}


@pytest.mark.parametrize(
    ("value", "verdict"), [("299.9", "pass"), ("300", "warn"), ("599", "warn"), ("600", "fail")]
)
def test_a_value_is_judged_by_its_bounds(target: TargetUrls, value: str, verdict: str) -> None:
    outcome = run(target, measuring(value, warns={"below": 600}))
    assert outcome.verdict == verdict
    assert outcome.value == float(value)
    assert outcome.detail == "as seen"
    assert "below 300 s" in outcome.bound
    assert outcome.market_now == MONDAY


def test_a_second_number_is_shown_and_judges_nothing(target: TargetUrls) -> None:
    text = "SELECT 1 AS value, 59 AS shown, '' AS detail"
    check = {**measuring("1"), "sql": plans.sql_file(text), "shows": {"title": "Bars"}}
    outcome = run(target, check)
    assert (outcome.verdict, outcome.value, outcome.shown) == ("pass", 1.0, 59.0)
    assert run(target, measuring("1")).shown is None
    missing = run(target, {**measuring("1"), "shows": {"title": "Bars"}})
    assert missing.verdict == "fail"
    assert "must return shown too" in missing.detail


def test_otherwise_warn_never_fails(target: TargetUrls) -> None:
    assert run(target, measuring("9999", otherwise="warn")).verdict == "warn"


@pytest.mark.parametrize("value", ["NULL::int", "'NaN'::float8"])
def test_no_data_is_a_failure(target: TargetUrls, value: str) -> None:
    assert run(target, measuring(value)).verdict == "fail"


def test_no_row_is_a_failure(target: TargetUrls) -> None:
    check = {**measuring("1"), "sql": plans.sql_file("SELECT 1 AS value WHERE false")}
    assert run(target, check).verdict == "fail"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT nothing FROM public.nowhere", "nowhere"),
        ("SELECT 1 AS something", "value"),
        ("SELECT 'many' AS value", "number"),
        ("SELECT 1 AS value UNION ALL SELECT 2", "one row"),
        ("SELECT %(unknown)s AS value", "unknown"),
        ("CREATE TABLE public.made (id int)", "read-only"),
    ],
)
def test_a_check_that_errs_is_a_failure_with_the_reason(target: TargetUrls, text: str, reason: str) -> None:
    outcome = run(target, {**measuring("1"), "sql": plans.sql_file(text)})
    assert outcome.verdict == "fail"
    assert reason in outcome.detail


def test_a_target_that_is_away_is_a_failure_with_the_reason(target: TargetUrls) -> None:
    outcome = run(target, measuring("1"), target_url=target.runner_url + "_nowhere")
    assert outcome.verdict == "fail"
    assert "does not exist" in outcome.detail


def test_a_duration_is_never_judged_below_two_real_seconds(target: TargetUrls) -> None:
    assert run(target, measuring("7000"), speed=3600).verdict == "pass"
    assert run(target, measuring("7300"), speed=3600).verdict == "fail"
    assert "below 7200 s" in run(target, measuring("1"), speed=3600).bound


def test_a_count_is_not_floored(target: TargetUrls) -> None:
    assert run(target, measuring("7000", unit="count"), speed=3600).verdict == "fail"


def test_closed_hours_read_closed_where_the_check_says_so(target: TargetUrls) -> None:
    outcome = run(target, measuring("9999", when_closed="closed"), at=SATURDAY)
    assert (outcome.verdict, outcome.market_open) == ("closed", False)
    assert run(target, measuring("9999", when_closed="closed"), at=MONDAY).verdict == "fail"
    assert run(target, measuring("9999"), at=SATURDAY).verdict == "fail"


@pytest.mark.parametrize(("lag", "verdict"), [("5", "closed"), ("50", "fail"), ("NULL::int", "fail")])
def test_in_closed_hours_the_lag_is_what_counts(target: TargetUrls, lag: str, verdict: str) -> None:
    check = measuring(
        "9999",
        when_closed="lag",
        closed_sql=plans.sql_file(f"SELECT {lag} AS value, 'lag' AS detail"),
        closed_pass={"at_most": 10},
    )
    assert run(target, check, at=SATURDAY).verdict == verdict


def test_staleness_counts_from_the_reopening(target: TargetUrls) -> None:
    two_days = str(48 * 3600)
    assert run(target, measuring(two_days, when_closed="closed"), at=SUNDAY_REOPENED).verdict == "fail"
    soon = SUNDAY_REOPENED - timedelta(minutes=6)
    assert run(target, measuring(two_days, when_closed="closed"), at=soon).verdict == "pass"
    assert run(target, measuring(two_days), at=soon).verdict == "fail"


def test_counts_after_a_reopening_are_scaled_to_the_open_part(target: TargetUrls) -> None:
    def counting(value: int, **more: Any) -> dict[str, Any]:
        check = measuring(str(value), unit="count", scale_by_open=True, **more)
        return {**check, "passes": {"at_least": 54}}

    assert run(target, counting(9), at=SUNDAY_REOPENED).verdict == "pass"  # ten minutes of sixty
    assert run(target, counting(8), at=SUNDAY_REOPENED).verdict == "fail"
    assert run(target, counting(53), at=MONDAY).verdict == "fail"
    assert run(target, counting(0), at=SATURDAY).verdict == "pass"


def test_a_query_may_use_the_times_of_the_run(target: TargetUrls) -> None:
    text = """
    SELECT extract(epoch FROM %(now)s - %(period_from)s)::int AS value,
           concat_ws('/', %(switched_at)s - interval '1 h', %(since)s - interval '1 h', %(open_from)s)
               AS detail
    """
    check = {**measuring("1"), "sql": plans.sql_file(text), "unit": "count", "passes": {"equals": 3600}}
    outcome = run(target, check)
    assert (outcome.verdict, outcome.detail) == ("pass", "2026-11-01 22:00:00+00")
    switched = datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert run(target, check, switched_at=switched).detail.startswith("2026-11-02 09:00:00+00")


@pytest.mark.parametrize(("missing", "pending", "verdict"), [(0, 5, "pass"), (1, 0, "fail")])
def test_the_verification_check_judges_the_last_live_verification(
    target: TargetUrls, missing: int, pending: int, verdict: str
) -> None:
    check = {"key": "measured", "title": "verified", "builtin": "verification"}
    job = stepping.job(plan_at(MONDAY, check), target, phase=8)
    seen = Verification(
        source_rows=9, target_rows=9, missing=missing, extra=0, different=0, pending=pending,
        lowest=None, highest=None, seconds=0.1, columns=("id",),
    )  # fmt: skip
    outcome = health.run_check(job, "measured", since=None, verified=seen)
    assert outcome.verdict == verdict
    assert f"{missing} missing" in outcome.detail


def test_a_check_that_the_plan_does_not_have_is_an_error_of_the_caller(target: TargetUrls) -> None:
    with pytest.raises(KeyError):
        health.run_check(stepping.job(plans.plan(), target), "nothing", since=None)


def test_a_failing_check_fails_its_step_in_phase_six(target: TargetUrls) -> None:
    step = {
        "kind": "check",
        "key": "fresh",
        "title": "fresh",
        "undo_none": "it only looks",
        "check": "measured",
    }
    for value, status in (("1", "finished"), ("400", "failed")):
        plan = plans.plan({6: [step]}, checks=[measuring(value)])
        outcome = runner.run_phase(stepping.job(plan, target, phase=6), Memory())
        assert outcome.status == status
    assert "below 300 s" in outcome.error


@pytest.mark.parametrize(
    ("bound", "value", "expected"),
    [
        (Bound(below=1), 1, False),
        (Bound(at_most=1), 1, True),
        (Bound(above=1), 1, False),
        (Bound(at_least=80, at_most=120), 100, True),
        (Bound(at_least=80, at_most=120), 79.9, False),
        (Bound(equals=0), 0, True),
        (Bound(at_most=1), float("nan"), False),
    ],
)
def test_every_part_of_a_bound_must_hold(bound: Bound, value: float, expected: bool) -> None:
    assert bounds.holds(bound, value) is expected
