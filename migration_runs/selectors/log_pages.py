"""The log of a run, page by page backwards, and filtered; however long it is, a page costs about the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from migration_runs.models import LogLine
from migration_runs.selectors.trail_views import LogLineView

PAGE = 200
LOOKED_AT = 50_000
"""So many lines are looked through for a filter in one page; the next page goes on from there."""


@dataclass(frozen=True)
class LogFilter:
    """Which lines: warnings and errors alone, and those with a text in them or in their step's key."""

    warnings: bool = False
    text: str = ""

    @property
    def narrows(self) -> bool:
        """Whether it leaves lines out."""
        return self.warnings or bool(self.text)

    def lines(self, run_id: int) -> QuerySet[LogLine]:
        """The run's lines that fit, in no order."""
        lines = LogLine.objects.filter(run_id=run_id)
        if self.warnings:
            lines = lines.exclude(level="info")
        if self.text:
            lines = lines.filter(Q(text__icontains=self.text) | Q(step__icontains=self.text))
        return lines


@dataclass(frozen=True)
class LogPage:
    """Lines, oldest first. ``older_than`` leads to the page before; None when there is none.

    ``looked_back_to`` is where a filter stopped looking before the page was full.
    """

    lines: tuple[LogLineView, ...]
    older_than: int | None
    looked_back_to: datetime | None


def log_page(run_id: int, wanted: LogFilter, *, before: int | None = None) -> LogPage:
    """The last page of lines that fit, of those older than line ``before``."""
    lines = wanted.lines(run_id)
    if before is not None:
        lines = lines.filter(id__lt=before)
    stop = _stop(run_id, before) if wanted.narrows else None
    if stop is not None:
        lines = lines.filter(id__gte=stop.pk)
    found = list(lines.order_by("-id")[: PAGE + 1])
    shown = found[:PAGE]
    if len(found) > PAGE:
        return LogPage(_views(shown), shown[-1].pk, None)
    return LogPage(_views(shown), stop.pk if stop else None, stop.at if stop else None)


def last_lines(run_id: int, count: int) -> tuple[LogLineView, ...]:
    """The last so many lines, oldest first."""
    return _views(list(LogLine.objects.filter(run_id=run_id).order_by("-id")[:count]))


def all_lines(run_id: int) -> Iterator[LogLineView]:
    """Every line, oldest first, a few thousand in memory at a time."""
    for row in LogLine.objects.filter(run_id=run_id).order_by("id").iterator(chunk_size=2000):
        yield _view(row)


def _stop(run_id: int, before: int | None) -> LogLine | None:
    """The oldest line that is looked at; None where there are not so many before it."""
    older = LogLine.objects.filter(run_id=run_id)
    if before is not None:
        older = older.filter(id__lt=before)
    return older.order_by("-id")[LOOKED_AT - 1 : LOOKED_AT].first()


def _views(newest_first: list[LogLine]) -> tuple[LogLineView, ...]:
    return tuple(_view(row) for row in reversed(newest_first))


def _view(row: LogLine) -> LogLineView:
    return LogLineView(row.pk, row.at, row.level, row.phase, f"{row.phase}" if row.phase else "", _text(row))


def _text(row: LogLine) -> str:
    return f"{row.step}: {row.text}" if row.step else row.text
