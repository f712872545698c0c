"""``manage.py audit verify|head|export``: the audit trail, for whoever wants to check it from outside."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from migration_runs.services import audit


class Command(BaseCommand):
    """Exit codes: 0 intact (or printed), 1 the trail is broken, 2 usage."""

    help = "Verify the audit trail, print its head, or export it."

    def add_arguments(self, parser: CommandParser) -> None:
        """``verify``, ``head`` and ``export``."""
        commands = parser.add_subparsers(dest="command", required=True)
        verify = commands.add_parser(
            "verify", help="read the whole trail; exit 1 at the first event that does not fit"
        )
        verify.add_argument("--json", action="store_true", help="print one JSON object")
        verify.add_argument(
            "--head", metavar="SEQ:HASH", help="a head noted earlier elsewhere: the trail must still hold it"
        )
        commands.add_parser("head", help="print the last event as SEQ:HASH, to be kept outside")
        commands.add_parser("export", help="print every event as a line of JSON, oldest first")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - as Django calls it
        """Dispatch to the subcommand."""
        match options["command"]:
            case "verify":
                self._verify(as_json=options["json"], noted=options["head"])
            case "head":
                last = audit.head()
                self.stdout.write(f"{last.seq}:{last.hash}")
            case "export":
                for event in audit.export():
                    self.stdout.write(json.dumps(event, sort_keys=True, ensure_ascii=False))

    def _verify(self, *, as_json: bool, noted: str | None) -> None:
        result = audit.verify()
        why = result.why
        if result.intact and noted is not None:
            why = audit.cut_off(noted)
        broken_at = result.broken_at
        if as_json:
            told = {
                "events": result.events,
                "verified": not why,
                "broken_at": broken_at,
                "why": why,
                "head": result.head.hash,
            }
            self.stdout.write(json.dumps(told))
        elif not why:
            self.stdout.write(
                f"{result.events} events, all as written. Head {result.head.seq}:{result.head.hash}"
            )
        else:
            place = f" at event {broken_at}" if broken_at else ""
            self.stderr.write(
                f"The audit trail is broken{place}: {why}. {result.events} events before it are as written."
            )
        if why:
            sys.exit(1)
