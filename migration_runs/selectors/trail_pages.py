"""The trail page by page, newest first, and event by event. Cost does not grow with the trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from migration_runs.models import AuditEvent, Run
from migration_runs.selectors import trail
from migration_runs.selectors.trail_filter import TrailFilter
from migration_runs.selectors.trail_views import ChainView, EventPage, EventProof, TrailEvent, TrailPage
from migration_runs.services import audit, trail_reading

PAGE = 50
BATCH = 1_000
NEWEST_RUNS = 200


def chain() -> ChainView:
    """What is known of the whole chain, and how long it is now. Two queries; nothing is verified here."""
    last, head = trail_reading.last(), audit.head()
    state = "chain_whole"
    if last.at is None:
        state = "chain_unread"
    elif last.why:
        state = "chain_broken"
    elif last.late:
        state = "chain_late"
    elif not last.events and head.seq:
        state = "chain_unread"  # it was still empty when it was read
    return ChainView(
        state=state,
        at=last.at,
        events=last.events,
        broken_at=last.broken_at,
        why=last.why,
        head=head.seq,
        head_hash=head.hash,
    )


def page(wanted: TrailFilter, *, before: int | None = None, after: int | None = None) -> TrailPage:
    """Up to ``PAGE`` events: the newest, those before an event, or those that came next after one.

    One query, along an index: an event is found by its number, never by counting those before it.
    """
    events = wanted.events().select_related("run")
    if after is not None:
        found = list(events.filter(seq__gt=after).order_by("seq")[: PAGE + 1])
        newer, older = len(found) > PAGE, True
        found = found[:PAGE][::-1]
    else:
        if before is not None:
            events = events.filter(seq__lt=before)
        found = list(events.order_by("-seq")[: PAGE + 1])
        newer, older = before is not None, len(found) > PAGE
        found = found[:PAGE]
    return TrailPage(
        events=tuple(_shown(row) for row in found),
        newer_than=found[0].seq if found and newer else None,
        older_than=found[-1].seq if found and older else None,
    )


def event_page(seq: int) -> EventPage:
    """One event with those beside it, and whether it is as it was written. Raises AuditEvent.DoesNotExist."""
    rows = AuditEvent.objects.select_related("run").filter(seq__gte=seq - 1, seq__lte=seq + 1)
    beside = {row.seq: row for row in rows}
    if seq not in beside:
        raise AuditEvent.DoesNotExist
    row, earlier = beside[seq], beside.get(seq - 1)
    return EventPage(
        shown=_shown(row),
        earlier=seq - 1 if earlier else None,
        later=seq + 1 if seq + 1 in beside else None,
        proof=EventProof(
            unchanged=audit.hash_of(row) == row.hash,
            chained=row.prev_hash == (earlier.hash if earlier else "") and (earlier is not None or seq == 1),
        ),
    )


@dataclass(frozen=True)
class RunName:
    """A run that events may be asked of."""

    id: int
    name: str


def newest_runs() -> list[RunName]:
    """The runs that a filter offers, newest first; an older one is asked for by its number."""
    return [RunName(run.pk, run.name) for run in Run.objects.only("slug").order_by("-id")[:NEWEST_RUNS]]


def all_of(wanted: TrailFilter) -> Iterator[TrailEvent]:
    """Every event up to the newest one now, oldest first, a batch in memory at a time."""
    last, until = 0, audit.head().seq
    events = wanted.events().select_related("run").filter(seq__lte=until).order_by("seq")
    while True:
        rows = list(events.filter(seq__gt=last)[:BATCH])
        yield from map(_shown, rows)
        if len(rows) < BATCH:
            return
        last = rows[-1].seq


def _shown(row: AuditEvent) -> TrailEvent:
    raw = audit.content_of(row) | {"hash": row.hash}
    return TrailEvent(
        event=trail.view(row),
        object=row.object,
        run_id=row.run_id,
        run_name=row.run.name if row.run else "",
        prev_hash=row.prev_hash,
        raw=raw,
        raw_text=json.dumps(raw, sort_keys=True, ensure_ascii=False, indent=2),
    )
