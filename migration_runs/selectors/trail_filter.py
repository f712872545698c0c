"""Which events of the trail are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import QuerySet

from migration_runs.models import AuditEvent

MOMENT = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class TrailFilter:
    """Events of a run, by a person, of an action, in ``[since, until)``; what is not given does not narrow.

    ``action`` is an action's name, or the beginning of names with its dot: ``refused.`` is every refusal.
    """

    run: int | None = None
    person: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Whether anything narrows the trail."""
        return bool(self.run or self.person or self.action or self.since or self.until)

    def events(self) -> QuerySet[AuditEvent]:
        """The events, in no order."""
        found = AuditEvent.objects.all()
        if self.run:
            found = found.filter(run=self.run)
        if self.person:
            found = found.filter(actor=self.person)
        if self.action:
            whole = "action__startswith" if self.action.endswith(".") else "action"
            found = found.filter(**{whole: self.action})
        if self.since:
            found = found.filter(at__gte=self.since)
        if self.until:
            found = found.filter(at__lt=self.until)
        return found

    def query(self) -> dict[str, str]:
        """The filter as parameters of an address."""
        given = {
            "run": str(self.run or ""),
            "person": self.person,
            "action": self.action,
            "since": _moment(self.since),
            "until": _moment(self.until),
        }
        return {name: value for name, value in given.items() if value}

    def file_name(self) -> str:
        """A name for a file with these events, safe on every system: ``phasegate-audit-run-12-refused``."""
        parts = [f"{name}-{value}" for name, value in self.query().items()]
        return "-".join(["phasegate-audit", *(re.sub(r"[^A-Za-z0-9_-]+", "", part) for part in parts)])[:120]


def _moment(value: datetime | None) -> str:
    return value.astimezone(UTC).strftime(MOMENT) if value else ""
