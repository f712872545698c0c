"""Audit events as people read them."""

from __future__ import annotations

from migration_runs.models import AuditEvent, Run
from migration_runs.selectors.views import EventView


def latest_events(run: Run, count: int) -> tuple[EventView, ...]:
    """The last events of a run, newest first."""
    return tuple(view(row) for row in AuditEvent.objects.filter(run=run).order_by("-seq")[:count])


def all_events(run: Run) -> tuple[EventView, ...]:
    """Every event of a run, newest first."""
    return tuple(view(row) for row in AuditEvent.objects.filter(run=run).order_by("-seq"))


def view(row: AuditEvent) -> EventView:
    """An event with its sentence."""
    return EventView(
        seq=row.seq, at=row.at, actor=row.actor, actor_how=row.actor_how, action=row.action, sentence=sentence(row),
        detail=row.detail, hash=row.hash,
    )  # fmt: skip


def sentence(row: AuditEvent) -> str:
    """Who did what to which, in one line; the reason or comment in quotes."""
    words = row.action.replace("_", " ").replace(".", " ")
    said = next(
        (str(row.detail[name]) for name in ("comment", "reason", "why", "error") if row.detail.get(name)), ""
    )
    moved = f": {row.detail['from']} → {row.detail['to']}" if {"from", "to"} <= row.detail.keys() else ""
    return f"{row.actor} {words} {row.object}{moved}" + (f", “{said}”" if said else "")
