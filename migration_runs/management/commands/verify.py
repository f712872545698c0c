"""``manage.py verify RUN``: source and target compared here and now, with progress.

Exit codes: 0 clean, 1 differences or a broken rule, 2 wrong usage, refused, or not possible now.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, NoReturn

import psycopg
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from migration_runs import verifying
from migration_runs.exceptions import EngineError, PhasegateError, Refused
from migration_runs.management import terminal, verify_output
from migration_runs.models import VerificationReport
from migration_runs.services import verification, verification_passes

CLEAN, UNCLEAN, NOT_DONE = 0, 1, 2


class Command(BaseCommand):
    """Compare source and target of a run now."""

    help = "Compare source and target of a run now, row by row."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The run, what to compare, and how to answer."""
        parser.add_argument("run_id", type=int, metavar="RUN")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--full", action="store_true", help="every bucket (default)")
        what.add_argument("--touched", action="store_true", help="what was touched since the last look")
        parser.add_argument("--digests", action="store_true", help="digests of each bucket first, and kept")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
        parser.add_argument("--as", dest="person", metavar="USER", help="act as this account")

    def handle(self, *_: Any, **options: Any) -> None:
        """Compare; ends with exit code 1 where the report is not clean, 2 where there is none."""
        if options["digests"] and options["touched"]:
            self._refuse(options, "--digests goes with a full pass, not with --touched.", rule="usage")
        try:
            report = self._report(options)
        except Refused as refusal:
            self._refuse(options, str(refusal), rule=refusal.rule)
        except EngineError as error:
            verification_passes.trouble(
                options["run_id"], str(error), kept=error.kept, next_step=error.next_step
            )
            told = "; ".join(part for part in (str(error), error.kept, error.next_step) if part)
            self._refuse(options, f"Nothing could be said: {told}.", rule="target")
        except psycopg.Error as error:
            self._refuse(options, f"The target broke off: {type(error).__name__}. Try again.", rule="target")
        except PhasegateError as error:
            self._refuse(options, str(error))
        except KeyboardInterrupt:
            verification_passes.trouble(
                options["run_id"],
                "stopped by a person at a terminal",
                kept="every bucket that was compared",
                next_step="nothing: the next sweep goes on with the rest",
            )
            raise CommandError(
                "Stopped. What was compared is kept; the next verification goes on.", returncode=130
            ) from None
        body = verify_output.as_json(report)
        self.stdout.write(json.dumps(body, default=str) if options["json"] else verify_output.as_text(report))
        if not report.clean:
            raise CommandError(f"Not clean: {verification.fault_of(report)}.", returncode=UNCLEAN)

    def _report(self, options: dict[str, Any]) -> VerificationReport:
        run_id = options["run_id"]
        person, how = terminal.who(options["person"])
        verification.announce(run_id, person=person, how=how)
        if options["touched"]:
            return verifying.look(run_id)
        with _shown() as (bar, task):

            def tell(at: verifying.Progress) -> None:
                wrong = f", {at.differing:,} differing" if at.differing else ""
                words = f"bucket {at.buckets:,}, {at.rows:,} rows{wrong}"
                bar.update(task, completed=at.rows, total=at.rows_expected or None, words=words)

            return verifying.full(run_id, digests=options["digests"], tell=tell)

    def _refuse(self, options: dict[str, Any], reason: str, *, rule: str = "") -> NoReturn:
        if options["json"]:
            self.stdout.write(json.dumps({"error": reason, "rule": rule}))
        raise CommandError(reason, returncode=NOT_DONE)


class _shown:  # noqa: N801 - used like a function
    """A progress bar on standard error while the block lasts."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("comparing"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip

    def __enter__(self) -> tuple[Progress, Any]:
        self._bar.start()
        return self._bar, self._bar.add_task("comparing", total=None, words="")

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
