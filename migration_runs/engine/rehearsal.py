"""Every SQL file of a plan executed in the scratch database, in order, and its undo in reverse.

What counts is that each statement runs on the target's real schema: names, types, syntax, order. What an
assertion or a verdict says does not count, since a sample has few of the rows that it is about.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from migration_runs.engine import before_image, clock, data_rules, script, statements
from migration_runs.engine.job import Reporter
from migration_runs.engine.move import load
from migration_runs.exceptions import EngineError, StepFailed
from migration_runs.runbook.base import SqlFile
from migration_runs.runbook.data_rules import Rule
from migration_runs.runbook.monitoring import Check
from migration_runs.runbook.plan import Plan
from migration_runs.runbook.steps import (
    AssertStep,
    CheckStep,
    CopyStep,
    MonitorStep,
    SnapshotStep,
    SqlStep,
    Step,
)

# A repair of something that is in order may find its own result there already.
_IS_THERE = frozenset({"42701", "42710", "42P06", "42P07", "42P16", "42723"})


COPIED = 4
"""The phase after whose steps the rules about the data are meant to hold."""


@dataclass(frozen=True)
class _Undoing:
    place: str
    work: Callable[[], None]


class Rehearsal:
    """Plays one plan on a scratch database that holds the target's schema and a sample."""

    def __init__(self, conn: psycopg.Connection[Any], plan: Plan, reporter: Reporter) -> None:
        self.conn = conn
        self.plan = plan
        self.reporter = reporter
        self.files = 0
        self.undoings: list[_Undoing] = []

    def play(self) -> int:
        """Execute everything; how many files. Raises StepFailed naming phase, step, file and line."""
        for phase in self.plan.runbook.phases:
            for step in phase.steps:
                self._guard(f"phase {phase.number}, step {step.key}", functools.partial(self._step, step))
            if phase.number == COPIED:
                for rule in self.plan.runbook.rules:
                    self._guard(f"rule {rule.key}", functools.partial(self._rule, rule))
                for query in self.plan.runbook.queries:
                    self._guard(f"query '{query.title}'", functools.partial(self._read, query.sql))
        for undoing in reversed(self.undoings):
            self._guard(f"undoing {undoing.place}", undoing.work)
        return self.files

    def _guard(self, place: str, work: Callable[[], None]) -> None:
        self.reporter.beat()
        try:
            work()
        except (EngineError, psycopg.Error) as error:
            said = str(error) if isinstance(error, EngineError) else error.diag.message_primary or str(error)
            raise StepFailed(
                f"{place}: {said}",
                kept="nothing was changed in the target",
                next_step="correct the runbook's file and have the new plan approved",
            ) from error

    def _step(self, step: Step) -> None:
        if isinstance(step, SqlStep):
            self._sql(step)
        elif isinstance(step, AssertStep):
            self._assert(step)
        elif isinstance(step, SnapshotStep):
            self._read(step.sql)
        elif isinstance(step, CheckStep):
            self._check(self.plan.runbook.check(step.check))
        elif isinstance(step, MonitorStep):
            for check in self.plan.runbook.checks:
                self._check(check)
        elif isinstance(step, CopyStep) and step.part == "chunks":
            self._load()

    def _sql(self, step: SqlStep) -> None:
        if not step.transaction or script.needs_no_transaction(step.sql):
            self._execute(step.sql)
            image = None
        else:
            image = self._transaction(step)
        if step.undo is not None:
            undo = step.undo
            self.undoings.append(_Undoing(step.key, lambda: self._undo(step, undo)))
        elif image is not None:
            self.undoings.append(_Undoing(step.key, lambda: self._restore(step, image)))

    def _transaction(self, step: SqlStep) -> before_image.Image | None:
        with self.conn.transaction(force_rollback=step.trial):
            script.set_local_timeouts(self.conn, step)
            image = before_image.capture(self.conn, step.before_image) if step.before_image else None
            rows = self._execute(step.sql)
            if step.verdict and rows and step.verdict.partition(".")[0] not in rows[0]:
                raise StepFailed(f"{step.sql.path} returns no column for its verdict {step.verdict}")
            return before_image.complete(self.conn, image) if image is not None else None

    def _undo(self, step: SqlStep | AssertStep, undo: SqlFile) -> None:
        if script.needs_no_transaction(undo):
            self._execute(undo)
            return
        with self.conn.transaction():
            script.set_local_timeouts(self.conn, step)
            self._execute(undo)

    def _restore(self, step: SqlStep, image: before_image.Image) -> None:
        with self.conn.transaction():
            script.set_local_timeouts(self.conn, step)
            before_image.restore(self.conn, image)

    def _assert(self, step: AssertStep) -> None:
        with self.conn.transaction():
            script.set_local_timeouts(self.conn, step)
            rows = self._execute(step.sql)
            if rows:
                script.assertion(rows, step.sql)
            if step.repair_check is not None:
                self._execute(step.repair_check)
        if step.repair is None:
            return
        holds = bool(rows) and all(row["ok"] is True for row in rows)
        if not holds:
            self._repair_for_good(step, step.repair)
        elif not script.needs_no_transaction(step.repair):
            self._repair_for_show(step, step.repair)

    def _repair_for_good(self, step: AssertStep, repair: SqlFile) -> None:
        if script.needs_no_transaction(repair):
            self._execute(repair)
        else:
            with self.conn.transaction():
                script.set_local_timeouts(self.conn, step)
                self._execute(repair)
        if step.undo is not None:
            undo = step.undo
            self.undoings.append(_Undoing(step.key, lambda: self._undo(step, undo)))

    def _repair_for_show(self, step: AssertStep, repair: SqlFile) -> None:
        """The assertion holds, so the repair is executed, undone, rolled back; or its result is there."""
        with self.conn.transaction(force_rollback=True):
            script.set_local_timeouts(self.conn, step)
            try:
                with self.conn.transaction():
                    self._execute(repair)
            except script.SqlFailed as error:
                if error.sqlstate not in _IS_THERE:
                    raise
                return
            if step.undo is not None and not script.needs_no_transaction(step.undo):
                self._execute(step.undo)

    def _read(self, file: SqlFile) -> None:
        with self.conn.transaction():
            self.conn.execute("SET TRANSACTION READ ONLY")
            self._execute(file)

    def _load(self) -> None:
        file = self.plan.runbook.move.copying.load_sql
        if file is not None:
            with self.conn.transaction():
                self.conn.execute("SET TRANSACTION READ ONLY")
                load.number(self._execute(file), file)

    def _rule(self, rule: Rule) -> None:
        open_end = script.Typed(None, self._chunk_type())
        self.files += 1
        with self.conn.transaction():
            self.conn.execute("SET TRANSACTION READ ONLY")
            given = {**self.plan.parameters, "lo": open_end, "hi": open_end}
            data_rules.ask(self.conn, rule, given)

    def _chunk_type(self) -> str:
        move = self.plan.runbook.move
        row = self.conn.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attname = %s",
            (statements.quoted(move.source), move.chunk_column),
        ).fetchone()
        if row is None:
            raise StepFailed(f"{move.source} has no column {move.chunk_column}")
        return str(row[0])

    def _check(self, check: Check) -> None:
        for file in (check.sql, check.closed_sql):
            if file is not None:
                self._measure(file)

    def _measure(self, file: SqlFile) -> None:
        now = clock.market_now(self.conn, self.plan)
        hour = timedelta(hours=1)
        values = {"now": now, "since": now - hour, "switched_at": now - hour, "open_from": now - hour}
        with self.conn.transaction():
            self.conn.execute("SET TRANSACTION READ ONLY")
            self.files += 1
            rows = script.execute(
                self.conn, file, {**self.plan.parameters, **values, "period_from": now - hour}
            )
        if len(rows) > 1 or any("value" not in row for row in rows):
            raise StepFailed(f"{file.path} must return one row with value (and detail)")

    def _execute(self, file: SqlFile) -> list[script.Row]:
        self.files += 1
        return script.execute(self.conn, file, self.plan.parameters)
