"""Whether the parts of a runbook fit together: names that refer to each other, and an undo for every
change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import time
from math import isinf
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from migration_runs.phases import Role
from migration_runs.runbook.copying import LEAST, UNITS, CopySettings
from migration_runs.runbook.monitoring import Session
from migration_runs.runbook.placeholders import CHECK_PARAMETERS, RULE_PARAMETERS, names
from migration_runs.runbook.plan import Runbook
from migration_runs.runbook.steps import (
    AssertStep,
    BackupStep,
    CheckStep,
    ConfirmStep,
    ObserveStep,
    SqlStep,
    StepBase,
)
from migration_runs.runbook.toml_lines import Path

Fault = tuple[Path, str]
_TABLE = re.compile(r"^[a-z_][a-z0-9_$]*\.[a-z_][a-z0-9_$]*$")
_FUNCTION = re.compile(r"^[a-z_][a-z0-9_$]*\.[a-z_][a-z0-9_$]*\(.*\)$")
_NAME_BYTES = 63


def check(runbook: Runbook) -> Iterator[Fault]:
    """Every fault, with its place in the file."""
    yield from _declared(runbook)
    yield from _move(runbook)
    yield from _checks(runbook)
    yield from _rules(runbook)
    yield from _people(runbook)
    for number, phase in enumerate(runbook.phases):
        yield from _repeated(
            (step.key for step in phase.steps), ("phases", number, "steps"), "a step of this phase"
        )
        for position, step in enumerate(phase.steps):
            place: Path = ("phases", number, "steps", position)
            yield from _undo(step, place)
            yield from _step(step, place, runbook)


def _declared(runbook: Runbook) -> Iterator[Fault]:
    for key, pattern, form in (
        ("tables", _TABLE, "schema.table"),
        ("functions", _FUNCTION, "schema.name(types)"),
    ):
        names: tuple[str, ...] = getattr(runbook, key)
        for name in names:
            if not pattern.match(name):
                yield (key,), f"{key}: '{name}' must read {form}, in lower case"
            elif any(len(part.encode()) > _NAME_BYTES for part in name.partition("(")[0].split(".")):
                yield (key,), f"{key}: '{name}' is longer than PostgreSQL's {_NAME_BYTES} bytes"
        yield from _repeated(names, (key,), key, at_parent=True)
    for name in runbook.parameters:
        if name in CHECK_PARAMETERS | RULE_PARAMETERS or not name.isidentifier():
            yield (
                ("parameters", name),
                f"parameter '{name}' has a name that the panel uses itself, or no name at all",
            )


def _move(runbook: Runbook) -> Iterator[Fault]:
    move = runbook.move
    for key, name in (("source", move.source), ("target", move.target)):
        if name not in runbook.tables:
            yield ("move", key), f"the move's {key} {name} is not among the declared tables"
    if move.source == move.target:
        yield ("move", "target"), "the move's source and target are one table"
    kept = {value for value in move.columns.values() if isinstance(value, str)}
    for column in (*move.key, *move.scope):
        if column not in kept:
            yield ("move", "columns"), f"{column} is in the key or the scope and must be mapped unchanged"
    if move.chunk_column not in move.key:
        yield ("move", "chunk_column"), f"chunks are cut by a column of the key; {move.chunk_column} is none"
    for entry in move.left_out:
        if entry.partition(".")[0] not in ("source", "target") or not entry.partition(".")[2]:
            yield ("move", "left_out"), f"left_out names columns as source.NAME or target.NAME, not '{entry}'"
    yield from _copying(move.copying)


def _copying(copying: CopySettings) -> Iterator[Fault]:
    place: Path = ("move", "copying")
    if not copying.min_rows <= copying.initial_rows <= copying.max_rows:
        yield place, "initial_rows must lie between min_rows and max_rows"
    for name, bounds in copying.adjustable.items():
        value = copying.value(name) if name in UNITS else None
        if value is None:
            yield place, f"{name} is not adjustable, or has no value"
        elif not bounds.min <= value <= bounds.max:
            yield (*place, name), f"{name}: the value {value:g} must lie between min and max"
        elif isinf(bounds.max):
            yield (*place, name), f"{name}: max must be a number that can be reached, not infinity"
    for name in UNITS:
        lowest = copying.adjustable[name].min if name in copying.adjustable else copying.value(name)
        if lowest is not None and not LEAST.get(name, 0) <= lowest < float("inf"):
            yield (
                (*place, name),
                f"{name} must not be below {LEAST.get(name, 0):g}: the copy would stand still",
            )
    for limit, critical in copying.upside_down:
        yield (*place, critical), f"{critical} is below {limit}: the copy would pause before it waits"
    judged = copying.max_load is not None or copying.critical_load is not None
    if judged != (copying.load_sql is not None):
        yield place, "load_sql goes with max_load or critical_load: one without the other says nothing"
    yield from _busy_hours(copying, (*place, "busy_hours"))


def _busy_hours(copying: CopySettings, place: Path) -> Iterator[Fault]:
    for number, busy in enumerate(copying.busy_hours):
        yield from _times(busy, (*place, number))
        try:
            ZoneInfo(busy.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            yield place, f"there is no time zone '{busy.time_zone}'"
        if busy.pace == 0 and busy.opens == busy.closes:
            yield place, "busy_hours: busy all week at a pace of 0: the copy would stand still"


def _checks(runbook: Runbook) -> Iterator[Fault]:
    yield from _repeated((check.key for check in runbook.checks), ("checks",), "a check")
    for number, check in enumerate(runbook.checks):
        place: Path = ("checks", number)
        if (check.sql is None) == (check.builtin is None):
            yield place, f"check '{check.key}' must have either sql or builtin"
        if check.sql is not None and check.passes is None:
            yield place, f"check '{check.key}' has no 'passes', so it could not fail"
        if check.shows is not None and check.sql is None:
            yield place, f"check '{check.key}': shows goes with sql, whose column shown it is"
        if (check.when_closed == "lag") != (check.closed_sql is not None and check.closed_pass is not None):
            yield place, f"check '{check.key}': when_closed = \"lag\" goes with closed_sql and closed_pass"
    for number, session in enumerate(runbook.window.sessions):
        yield from _times(session, ("window", "sessions", number))
    if runbook.window.hours <= 0 or runbook.window.interval_minutes <= 0:
        yield ("window",), "the window's hours and interval must be above 0"


def _times(session: Session, place: Path) -> Iterator[Fault]:
    for value in (session.opens, session.closes):
        try:
            time.fromisoformat(value[4:])
        except ValueError:
            yield place, f"'{value}' is no time of a day"


def _rules(runbook: Runbook) -> Iterator[Fault]:
    yield from _repeated((rule.key for rule in runbook.rules), ("rules",), "a rule")
    for number, rule in enumerate(runbook.rules):
        used = names(rule.sql.text) & RULE_PARAMETERS
        if len(used) == 1:
            yield (
                ("rules", number, "sql"),
                f"rule '{rule.key}' uses %({min(used)})s alone; a bucket has two ends: %(lo)s and %(hi)s",
            )


def _people(runbook: Runbook) -> Iterator[Fault]:
    if Role.APPROVER not in runbook.approvals:
        yield ("approvals",), "the plan must be approved by an approver"
    for number, phase in enumerate(runbook.phases):
        if phase.owner != phase.phase.owner:
            yield ("phases", number, "owner"), f"phase {phase.number} belongs to {phase.phase.owner}"
        if phase.phase.step_up_to_start and not set(phase.sign_off) - {phase.owner}:
            yield (
                ("phases", number, "sign_off"),
                f"phase {phase.number} wants a second role beside {phase.owner}",
            )
    steps = {f"{phase.number}.{step.key}" for phase in runbook.phases for step in phase.steps}
    known = steps | {check.key for check in runbook.checks}
    for number, criterion in enumerate(runbook.texts.criteria):
        if criterion.evidence not in known:
            yield (
                ("texts", "criteria", number, "evidence"),
                f"'{criterion.evidence}' is neither a check nor a step (written PHASE.STEP)",
            )
    yield from _repeated((item.key for item in runbook.readiness), ("readiness",), "a readiness item")


def _undo(step: StepBase, place: Path) -> Iterator[Fault]:
    """A step that changes something has an undo: a file, an automatic one, or the reason why there
    is none.
    """
    given = step.undo is not None or step.undo_none is not None
    if isinstance(step, SqlStep) and not step.trial and not given and step.before_image is None:
        yield place, f"step '{step.key}' has no undo: a file, a before_image, or undo = \"none: why\""
    elif isinstance(step, AssertStep) and step.repair is not None and not given:
        yield place, f"step '{step.key}' has a repair and no undo: a file, or undo = \"none: why\""
    elif isinstance(step, ConfirmStep) and step.undo_text is None and not given:
        yield place, f"step '{step.key}' has no undo: undo_text, or undo = \"none: why\""
    if step.undo is not None and not isinstance(step, SqlStep | AssertStep):
        yield (*place, "undo"), f"a step of this kind is undone by the panel; step '{step.key}' needs no file"
    if step.undo is not None and isinstance(step, SqlStep) and (step.trial or step.before_image is not None):
        yield (
            (*place, "undo"),
            f"step '{step.key}' has an undo file beside a before_image or a trial: which one holds?",
        )


def _step(step: StepBase, place: Path, runbook: Runbook) -> Iterator[Fault]:
    functions = {signature.partition("(")[0].strip() for signature in runbook.functions}
    if isinstance(step, AssertStep) and step.repair_check is not None and step.repair is None:
        yield (*place, "repair_check"), f"step '{step.key}' proves a repair that it does not have"
    if isinstance(step, CheckStep) and step.check not in {check.key for check in runbook.checks}:
        yield (*place, "check"), f"there is no check '{step.check}'"
    if isinstance(step, BackupStep):
        yield from _unknown(step.tables, set(runbook.tables), (*place, "tables"), "table")
    if isinstance(step, SqlStep) and step.before_image is not None:
        image = step.before_image
        yield from _unknown(image.functions, set(runbook.functions), (*place, "before_image"), "function")
        yield from _unknown(
            (rows.table for rows in image.rows), set(runbook.tables), (*place, "before_image"), "table"
        )
        if step.trial or not step.transaction:
            yield (
                (*place, "before_image"),
                f"step '{step.key}': a before_image needs a transaction that is kept",
            )
    if isinstance(step, ObserveStep):
        for key in ("old_functions", "new_functions"):
            names = tuple(name.partition("(")[0].strip() for name in getattr(step, key))
            yield from _unknown(names, functions, (*place, key), "function")
    if isinstance(step, ConfirmStep):
        try:
            re.compile(step.evidence_pattern)
        except re.error as error:
            yield (*place, "evidence_pattern"), f"evidence_pattern is no regular expression: {error}"
    if step.lock_timeout_ms >= step.statement_timeout_s * 1000:
        yield place, f"step '{step.key}': the lock timeout must be shorter than the statement timeout"


def _unknown(names: Iterable[str], known: set[str], place: Path, what: str) -> Iterator[Fault]:
    for name in names:
        if name not in known:
            yield place, f"{what} {name} is not declared"


def _repeated(keys: Iterable[str], place: Path, what: str, *, at_parent: bool = False) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, key in enumerate(keys):
        if key in seen:
            yield (place if at_parent else (*place, number, "key")), f"'{key}' is given twice as {what}"
        seen.add(key)
