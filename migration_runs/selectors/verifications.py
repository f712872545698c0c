"""The verification of a run, read with a constant number of queries however much was compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Q

from migration_runs import advisory
from migration_runs.models import LookTrouble, Run, VerificationPass, VerificationReport
from migration_runs.runbook.data_rules import Rule
from migration_runs.runbook.plan import Plan
from migration_runs.selectors import verification_rows, verification_words
from migration_runs.selectors.phase_views import PhaseView
from migration_runs.selectors.trail_views import EventView
from migration_runs.selectors.verification_views import (
    LookTroubleView,
    PassView,
    ResultView,
    RuleView,
    VerificationView,
)
from migration_runs.selectors.window_views import WindowView
from migration_runs.services import readiness, verification, verification_schedule

FULL, TOUCHED = VerificationReport.Kind.FULL, VerificationReport.Kind.TOUCHED
COPIED, LAST = 4, 9
LATE_LOOKS = 3
"""A look that is later than so many of its periods does not come any more by itself."""


def verification_of(
    run: Run,
    plan: Plan,
    *,
    phases: Sequence[PhaseView],
    windows: Sequence[WindowView],
    events: Sequence[EventView],
    rows_copied: int,
    now: datetime,
) -> VerificationView:
    """Everything that the box shows. ``now`` is the control database's; ``rows_copied`` is what copy steps
    have told.
    """
    by_number = {phase.number: phase for phase in phases}
    live = verification.has_two_sides(run.state, {phase.number: phase.state for phase in phases})
    full_row = verification_schedule.newest(run.pk, FULL)
    look_row = verification_schedule.newest(run.pk, TOUCHED)
    current = VerificationPass.objects.filter(run=run, finished_at=None).first() if live else None
    measured = _buckets(run) if full_row is not None or current is not None else {}
    full = _result(full_row, longest_s=measured.get("longest") if current is None else None)
    look = _result(look_row)
    against_row = readiness.speaks_against(full_row, look_row)
    against = None if against_row is None else (full if against_row is full_row else look)
    open_pass = _pass(current, measured, expected=rows_copied, now=now) if current is not None else None
    look_trouble = _look_trouble(run) if live and open_pass is None else None
    shown = VerificationView(
        state=_state(by_number, full, against, live=live),
        activity="verify_trouble" if look_trouble is not None else _activity(open_pass),
        live=live,
        open_pass=open_pass,
        full=full,
        look=look,
        against=against,
        rules=_rules(plan, full_row, look_row),
        differences=verification_rows.of(against_row.examples) if against_row is not None else (),
        asked=_asked(events, full, look, open_pass) if live else "",
        late=_late(plan, by_number[COPIED], full, look, now=now) if live and open_pass is None else "",
        follows="",
        to_do="",
        next_due=_next_due(plan, full) if live else None,
        look_trouble=look_trouble,
    )
    window = windows[-1] if windows else None
    follows = verification_words.follows(shown, by_number, window, hold_at=_hold_at(plan, window, full))
    to_do = verification_words.to_do(shown, run, plan)
    return dataclasses.replace(shown, follows=follows, to_do=to_do)


def _look_trouble(run: Run) -> LookTroubleView | None:
    row = LookTrouble.objects.filter(run=run).exclude(reason="").first()
    if row is None:
        return None
    return LookTroubleView(row.reason, row.kept, row.next_step, row.since, row.tried_at)


def _buckets(run: Run) -> dict[str, Any]:
    """How many buckets the run has, how many are still to be cut, and what one took at most."""
    return run.verification_buckets.aggregate(
        number=Count("pk"),
        unknown=Count("pk", filter=Q(rows=None)),
        longest=Max("seconds"),
    )


def _result(row: VerificationReport | None, *, longest_s: float | None = None) -> ResultView | None:
    if row is None:
        return None
    waited = timedelta(seconds=row.pending_s)
    return ResultView(
        kind="full" if row.kind == FULL else "touched",
        number=row.number,
        at=row.at,
        oldest=min(row.started_at, row.at - timedelta(seconds=row.seconds)),
        clean=row.clean,
        fault="" if row.clean else verification.fault_of(row),
        seconds=row.seconds,
        source_rows=row.source_rows,
        target_rows=row.target_rows,
        missing=row.missing,
        extra=row.extra,
        different=row.different,
        pending=row.pending,
        pending_since=row.at - waited if row.pending else None,
        overdue=row.overdue,
        vanished=row.vanished,
        buckets=row.buckets,
        longest_s=longest_s,
        digests=row.digests,
        columns=len(row.columns),
    )


def _pass(row: VerificationPass, measured: Mapping[str, Any], *, expected: int, now: datetime) -> PassView:
    at_work = advisory.is_taken("verify", row.run_id)
    rate = None
    if at_work and row.taken_at is not None:
        took = (row.seen_at - row.taken_at).total_seconds()
        rate = (
            (row.rows_done - row.rows_before) / took if took > 0 and row.rows_done > row.rows_before else None
        )
    known = row.rows_expected or expected
    return PassView(
        number=row.number,
        digests=row.digests,
        started_at=row.started_at,
        worker=row.worker,
        at_work=at_work,
        taken_at=row.taken_at,
        last_sign=row.seen_at,
        asked_at=now,
        buckets_done=row.buckets_done,
        buckets=None if measured["unknown"] else measured["number"],
        rows_done=row.rows_done,
        rows_expected=max(known, row.rows_done) if known else None,
        rate=rate,
        trouble=row.trouble,
        kept=row.kept,
        next_step=row.next_step,
    )


def _state(
    phases: Mapping[int, PhaseView], full: ResultView | None, against: ResultView | None, *, live: bool
) -> str:
    if not live and phases[LAST].state not in {"pending", "ready"}:
        return "verify_over"
    if against is not None:
        return "verify_differs"
    return "verify_clean" if full is not None else "verify_none"


def _activity(at: PassView | None) -> str:
    if at is None:
        return ""
    if at.at_work:
        return "verify_running"
    return "verify_trouble" if at.trouble else ("worker_lost" if at.lost else "verify_waiting")


def _rules(
    plan: Plan, full: VerificationReport | None, look: VerificationReport | None
) -> tuple[RuleView, ...]:
    """Every declared rule with its newest answer: the full pass's, or what a newer look found against it."""
    found: dict[str, Mapping[str, Any]] = {rule["key"]: rule for rule in (full.rules if full else [])}
    if look is not None and (full is None or look.pk > full.pk):
        found |= {rule["key"]: rule for rule in look.rules if rule["offending"] or rule["error"]}
    return tuple(_rule(rule, found.get(rule.key)) for rule in plan.runbook.rules)


def _rule(rule: Rule, found: Mapping[str, Any] | None) -> RuleView:
    if found is None:
        state = "to_come"
    elif found["error"]:
        state = "rule_unasked"
    elif found["offending"]:
        state = "rule_broken" if rule.severity == "fail" else "rule_warns"
    else:
        state = "rule_holds"
    return RuleView(
        key=rule.key,
        title=rule.title,
        why=rule.why,
        file=rule.sql.path,
        asked="with each bucket and each look" if rule.incremental else "once a full pass",
        state=state,
        severity=rule.severity,
        offending=found["offending"] if found else 0,
        error=found["error"] if found else "",
        what_to_do=rule.what_to_do,
        examples=tuple(tuple(one.items()) for one in found["examples"]) if found else (),
    )


def _asked(
    events: Sequence[EventView], full: ResultView | None, look: ResultView | None, at: PassView | None
) -> str:
    """That somebody asked for a verification, and no worker has begun one since."""
    asked = next((event for event in events if event.action == "verification.request"), None)
    known = [one.at for one in (full, look) if one is not None]
    if asked is None or at is not None or any(moment >= asked.at for moment in known):
        return ""
    return f"{asked.actor} asked for one at {asked.at:%H:%M:%S}. A worker takes it up by itself."


def _late(
    plan: Plan, copied: PhaseView, full: ResultView | None, look: ResultView | None, *, now: datetime
) -> str:
    """What should have come and has not, while no pass is open that says why."""
    begun = copied.finished_at
    if begun is None:  # not signed yet: nothing comes by itself
        return ""
    bound = verification_schedule.fresh_for(plan.clock_speed, full.seconds if full else 0.0)
    since = max(full.at, begun) if full else begun
    if now - since > bound:
        return f"No full pass has ended since {since:%H:%M:%S}; one is due every {_words(bound / 3)}."
    sweep = timedelta(seconds=float(settings.SWEEP_SECONDS))
    period = max(verification_schedule.look_period(look.seconds if look else 0.0), sweep)
    since = max(look.at, begun) if look else begun
    if now - since > max(LATE_LOOKS * period, verification_schedule.LATE_AT_LEAST):
        return f"No look at what was touched since {since:%H:%M:%S}; one is due every {_words(period)}."
    return ""


def _words(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _next_due(plan: Plan, full: ResultView | None) -> datetime | None:
    return full.at + verification_schedule.period(plan.clock_speed, full.seconds) if full else None


def _hold_at(plan: Plan, window: WindowView | None, full: ResultView | None) -> datetime | None:
    """When a verification that does not come holds the run; None outside an open window."""
    if window is None or window.ended_at is not None:
        return None
    since = max(full.at, window.started_at) if full else window.started_at
    return since + verification_schedule.fresh_for(plan.clock_speed, full.seconds if full else 0.0)
