"""Passes of the live verification in the control database: begun, gone on with, finished; bucket by bucket.

What is kept after each bucket is enough for any other worker to go on with the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from migration_runs.engine.move.buckets import Bucket, Compared
from migration_runs.engine.move.chunks import Bound, decode, encode
from migration_runs.engine.outcome import Difference, RuleFound, Verification
from migration_runs.exceptions import EngineError
from migration_runs.models import LookTrouble, VerificationBucket, VerificationPass, VerificationReport
from migration_runs.services import clock, situation

EXAMPLES = 20
"""So many differing rows are kept of a pass, and so many of each bucket."""

NO_TROUBLE = {"trouble": "", "kept": "", "next_step": ""}


def begin(run_id: int, *, digests: bool) -> VerificationPass:
    """The run's open pass, or a new one. One without digests does not go on as one with them."""
    with transaction.atomic():
        run = situation.lock(run_id).run
        open_one = VerificationPass.objects.filter(run=run, finished_at=None).first()
        if open_one is not None and (open_one.digests or not digests):
            return open_one
        if open_one is not None:
            _close(open_one)
        last = VerificationPass.objects.filter(run=run).order_by("-number").first()
        report = VerificationReport.objects.filter(run=run, kind="full").order_by("-id").first()
        if not run.verification_buckets.exists():
            VerificationBucket.objects.create(run=run)
        now = clock.database_now()
        return VerificationPass.objects.create(
            run=run,
            number=last.number + 1 if last else 1,
            digests=digests,
            started_at=now,
            seen_at=now,
            rows_expected=report.source_rows if report else 0,
        )


def take_up(current: VerificationPass, *, worker: str) -> None:
    """Note who compares from now on, and how far the pass was. The target has answered already."""
    VerificationPass.objects.filter(pk=current.pk).update(
        worker=worker, taken_at=clock.database_now(), rows_before=F("rows_done"), seen_at=clock.database_now()
    )


def left(current: VerificationPass) -> list[Bucket]:
    """The buckets that the pass has still to compare, in their order.

    Raises EngineError where the run's buckets do not adjoin: something would be compared twice or never.
    """
    return [_bucket(row) for row in _in_order(current.run_id) if row.seen_in_id != current.pk]


def keep(current: VerificationPass, compared: Compared, rules: Sequence[RuleFound]) -> None:
    """Keep what one bucket showed, and how far the pass is."""
    now = clock.database_now()
    with transaction.atomic():
        row = VerificationBucket.objects.select_for_update(no_key=True).get(
            run=current.run_id, lo=_text(compared.bucket.lo)
        )
        if compared.rest is not None:
            VerificationBucket.objects.create(
                run_id=current.run_id, lo=_text(compared.rest.lo), hi=_text(compared.rest.hi)
            )
        row.hi = _text(compared.bucket.hi)
        row.rows = None if compared.grown else compared.bucket.rows
        row.seconds = compared.found.seconds
        row.seen_in = current
        row.seen_at = now
        row.clean = compared.found.clean
        row.found = {
            "verification": dataclasses.asdict(compared.found),
            "rules": [dataclasses.asdict(rule) for rule in rules],
        }
        if compared.digest is not None and compared.found.clean:
            row.digest, row.digest_rows, row.digest_at = compared.digest.value, compared.digest.rows, now
        row.save()
        VerificationPass.objects.filter(pk=current.pk).update(
            buckets_done=F("buckets_done") + 1,
            rows_done=F("rows_done") + max(compared.found.source_rows, compared.found.target_rows),
            seconds=F("seconds") + compared.found.seconds,
            seen_at=now,
            **NO_TROUBLE,
        )


def trouble(run_id: int, reason: str, *, kept: str = "", next_step: str = "") -> None:
    """Note why the run's open pass cannot go on now, what stands, and what to do.

    Without an open pass it was a look at what was touched that could not be made: that is kept beside.
    """
    now = clock.database_now()
    noted = VerificationPass.objects.filter(run_id=run_id, finished_at=None).update(
        trouble=reason, kept=kept, next_step=next_step, seen_at=now
    )
    if noted:
        return
    with transaction.atomic():
        row, _ = LookTrouble.objects.select_for_update().get_or_create(run_id=run_id)
        row.since = row.since if row.reason else now
        row.reason, row.kept, row.next_step, row.tried_at = reason, kept, next_step, now
        row.save()


def look_was_made(run_id: int) -> None:
    """Nothing is in the way of looks any more."""
    LookTrouble.objects.filter(run_id=run_id).exclude(reason="").update(
        reason="", kept="", next_step="", since=None
    )


def summed(current: VerificationPass) -> tuple[Verification, list[RuleFound]]:
    """What all buckets of the pass showed together, and their rules."""
    rows = [row for row in _in_order(current.run_id) if row.seen_in_id == current.pk]
    found = [_verification(row.found["verification"]) for row in rows]
    seconds = sum(one.seconds for one in found)
    names = ("source_rows", "target_rows", "missing", "extra", "different", "pending", "overdue", "vanished")
    total = Verification(
        **{name: sum(getattr(one, name) for one in found) for name in names},
        pending_s=max((one.pending_s for one in found), default=0.0),
        lowest=None,
        highest=None,
        seconds=seconds,
        columns=found[0].columns if found else (),
        examples=tuple(example for one in found for example in one.examples)[:EXAMPLES],
    )
    return total, added(RuleFound(**rule) for row in rows for rule in row.found["rules"])


def added(found: Iterable[RuleFound]) -> list[RuleFound]:
    """The results of each rule, bucket by bucket, as one result a rule."""
    total: dict[str, RuleFound] = {}
    for one in found:
        before = total.get(one.key)
        if before is None:
            total[one.key] = one
            continue
        total[one.key] = dataclasses.replace(
            before,
            offending=before.offending + one.offending,
            examples=tuple([*before.examples, *one.examples][:EXAMPLES]),
            seconds=before.seconds + one.seconds,
            error=before.error or one.error,
        )
    return list(total.values())


def finish(current: VerificationPass) -> int:
    """Close the pass; how many buckets it has compared."""
    _close(current)
    return VerificationBucket.objects.filter(seen_in=current).count()


def age(current: VerificationPass) -> timedelta:
    """How long ago the pass began."""
    return clock.database_now() - current.started_at


def _close(current: VerificationPass) -> None:
    VerificationPass.objects.filter(pk=current.pk).update(finished_at=clock.database_now(), **NO_TROUBLE)


def _in_order(run_id: int) -> list[VerificationBucket]:
    by_lo = {row.lo: row for row in VerificationBucket.objects.filter(run_id=run_id)}
    ordered: list[VerificationBucket] = []
    lo = ""
    while lo in by_lo:
        row = by_lo.pop(lo)
        ordered.append(row)
        lo = row.hi
        if not lo:
            break
    if by_lo or not ordered or ordered[-1].hi:
        raise EngineError(
            f"the verification's buckets of run {run_id} do not adjoin",
            kept="everything; nothing was compared",
            next_step="find out who changed migration_runs_verificationbucket",
        )
    return ordered


def _bucket(row: VerificationBucket) -> Bucket:
    return Bucket(_bound(row.lo), _bound(row.hi), row.rows)


def _bound(text: str) -> Bound | None:
    return decode(text or None)


def _text(bound: Bound | None) -> str:
    return encode(bound) or ""


def _verification(figures: dict[str, Any]) -> Verification:
    examples = tuple(
        Difference(**{**example, "columns": tuple(example["columns"])}) for example in figures["examples"]
    )
    return Verification(**{**figures, "columns": tuple(figures["columns"]), "examples": examples})
