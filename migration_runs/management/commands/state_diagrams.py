"""``manage.py state_diagrams``: write the page that draws both state machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from migration_runs import state_diagrams


class Command(BaseCommand):
    """Writes docs/reference/state-machines.md from the transition tables."""

    help = "Write docs/reference/state-machines.md from the transition tables of migration_runs/states.py."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - as Django calls it
        """Write the page and say where."""
        path = Path(settings.BASE_DIR) / "docs" / "reference" / "state-machines.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(state_diagrams.page(), encoding="utf-8")
        self.stdout.write(str(path))
