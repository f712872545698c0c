"""The live verification: asked for by people or by the sweeper, reported by its own worker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from migration_runs import dispatch, phases
from migration_runs.engine.outcome import Difference, RuleFound, Verification
from migration_runs.exceptions import IllegalMove
from migration_runs.models import PhaseRun, VerificationPass, VerificationReport
from migration_runs.phases import Role
from migration_runs.services import (
    audit,
    checks,
    clock,
    gates,
    holding,
    notify,
    people,
    situation,
    verification_schedule,
)
from migration_runs.services.people import Actor
from migration_runs.services.situation import Situation
from migration_runs.services.verbs import verb
from migration_runs.states import PhaseState, RunState

WHEN = frozenset({RunState.IN_PROGRESS, RunState.ON_HOLD})
COPIED = 4
"""From this phase on there are two sides to compare."""

CLEANUP = 9
"""From this phase on there are not."""


def has_two_sides(run_state: str, phase_states: Mapping[int, str]) -> bool:
    """Whether history has been copied and no row was retired yet, so that both sides should be equal."""
    copied = phase_states[COPIED] in {PhaseState.AWAITING_SIGN_OFF, PhaseState.DONE}
    retired = phase_states[CLEANUP] not in {PhaseState.PENDING, PhaseState.READY}
    return run_state in WHEN and copied and not retired


def may_request(at: Situation, actor: Actor) -> None:
    """Raises NotAllowed; IllegalMove where there are not yet, or no longer, two sides to compare."""
    actor.require([role for role in Role if role is not Role.AUDITOR], "Asking for a verification")
    if not has_two_sides(at.run.state, {number: phase.state for number, phase in at.phases.items()}):
        raise IllegalMove(
            f"{at.run.name} is {gates.words(at.run.state)}; source and target are compared between the end "
            "of phase 4 "
            "and the start of phase 9.",
            rule="state",
        )


@verb("verify")
def request(run_id: int, *, person: User, how: str) -> None:
    """Have source and target compared soon, by the verification's own worker.

    Raises NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_request(at, actor)
    audit.append(actor=actor, run=at.run, action="verification.request", object=at.run.name)
    dispatch.after_commit("verify_run", at.run.pk)


@verb("verify")
def announce(run_id: int, *, person: User, how: str) -> None:
    """Note that a person compares source and target now, by a process of their own.

    Raises NotAllowed or IllegalMove.
    """
    at = situation.lock(run_id)
    actor = people.actor_of(person, how=how)
    may_request(at, actor)
    told = {"where": "a terminal"}
    audit.append(actor=actor, run=at.run, action="verification.request", object=at.run.name, detail=told)


def record(
    run_id: int,
    verification: Verification,
    *,
    worker: str = "worker",
    kind: str = VerificationReport.Kind.FULL,
    rules: Sequence[RuleFound] = (),
    part_of: VerificationPass | None = None,
    buckets: int = 0,
    tail: str = "",
) -> VerificationReport:
    """Keep a report. One that is not clean holds a run in phase 8, breaks its window, and locks phase 9;
    in an earlier phase people are told when it is the first after a clean one.

    ``part_of`` is the pass that a full report sums up.
    """
    actor = people.worker_actor(worker)
    with transaction.atomic():
        at = situation.lock(run_id)
        now = clock.database_now()
        figures = dataclasses.asdict(verification) | {"columns": list(verification.columns)}
        del figures["broken_rules"]  # the report has the rules themselves
        figures["examples"] = _with_first_seen(at, verification.examples, now)
        failing = [rule for rule in rules if rule.fails]
        clean = verification.clean and not failing
        report = VerificationReport.objects.create(
            run=at.run,
            kind=kind,
            number=part_of.number if part_of else None,
            digests=bool(part_of and part_of.digests),
            started_at=part_of.started_at if part_of else now,
            at=now,
            clean=clean,
            rules=[dataclasses.asdict(rule) for rule in rules],
            buckets=buckets,
            tail=tail,
            **figures,
        )
        if not clean:
            counts = {
                name: figures[name]
                for name in (
                    "source_rows",
                    "target_rows",
                    "missing",
                    "extra",
                    "different",
                    "pending",
                    "overdue",
                )
            }
            reason = f"verification found {fault_of(report)}"
            again = any(before is not None and not before.clean for before in (at.verification, at.look))
            told = counts | {
                "kind": str(kind), "rules": [rule.key for rule in failing], "reason": reason,
            }  # fmt: skip
            audit.append(
                actor=actor,
                run=at.run,
                action="verification.fail_again" if again else "verification.fail",
                object=at.run.name,
                detail=told,
            )
            held = hold_monitoring(at, reason=reason, actor=actor)
            if not held and not again:
                notify.differences_found(at, what=reason, actor=actor)
    return report


def _with_first_seen(at: Situation, examples: Sequence[Difference], now: datetime) -> list[dict[str, Any]]:
    """The rows that differ, each with when it was first found to, by the reports before this one."""
    known: dict[str, str] = {}
    for report in (at.verification, at.look):
        for example in report.examples if report is not None else []:
            since = example.get("first_seen", now.isoformat())
            known[_row_of(example)] = min(known.get(_row_of(example), since), since)
    rows = [dataclasses.asdict(example) for example in examples]
    return [row | {"first_seen": known.get(_row_of(row), now.isoformat())} for row in rows]


def _row_of(example: Mapping[str, Any]) -> str:
    return json.dumps([example["kind"], example["key"]], sort_keys=True)


def fault_of(report: VerificationReport) -> str:
    """What makes a report unclean, in words: ``1 missing, 2 overdue rows; rule no_gaps: 3 rows``."""
    counts = [
        f"{number} {name}"
        for name, number in (
            ("missing", report.missing),
            ("extra", report.extra),
            ("different", report.different),
            ("overdue", report.overdue),
        )
        if number
    ]
    found = [f"{', '.join(counts)} rows"] if counts else []
    found += [
        f"rule {rule['key']}: {rule['error'] or _rows(rule['offending'])}"
        for rule in report.rules
        if rule["severity"] == "fail" and (rule["offending"] or rule["error"])
    ]
    return "; ".join(found) or "nothing"


def _rows(number: int) -> str:
    return f"{number} row" if number == 1 else f"{number} rows"


def mark_overdue(*, worker: str = "sweeper") -> list[int]:
    """Hold runs in phase 8 whose last full pass is older than three of its periods. Returns the runs' ids.

    A verification that does not come is no clean one: its worker may be gone, its target too slow.
    """
    actor = people.worker_actor(worker)
    held: list[int] = []
    rows = PhaseRun.objects.filter(
        number=phases.MONITORING, state__in=checks.WATCHED, run__state=RunState.IN_PROGRESS
    )
    for run_id in rows.values_list("run", flat=True):
        if not verification_schedule.overdue_since(run_id):
            continue
        with transaction.atomic():
            at = situation.lock(run_id)
            since = verification_schedule.overdue_since(run_id)
            if since is None or at.run.state != RunState.IN_PROGRESS:
                continue
            current = VerificationPass.objects.filter(run=at.run, finished_at=None).first()
            why = f": {current.trouble}" if current is not None and current.trouble else ""
            reason = f"no verification was completed since {since:%Y-%m-%d %H:%M:%S} UTC{why}"
            hold_monitoring(at, reason=reason, actor=actor)
            held.append(run_id)
    return held


def hold_monitoring(at: Situation, *, reason: str, actor: Actor) -> bool:
    """Hold a run in phase 8, or between it and phase 9, and end its window; whether it is there.

    Nothing in other phases.
    """
    state = at.phase(phases.MONITORING).state
    if state not in checks.WATCHED | {PhaseState.AWAITING_SIGN_OFF, PhaseState.DONE}:
        return False
    if at.phase(9).state not in {PhaseState.PENDING, PhaseState.READY}:
        return False
    if checks.is_watched(at):
        checks.end_window(at, reason=reason, actor=actor)
    holding.hold(at, kind=holding.HoldKind.CHECK, reason=reason, actor=actor)
    return True
