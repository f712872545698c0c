"""The twelve rules that no runbook may break, each looked for in the plan as a whole.

Must: (1) back up before anything changes, (2) validate the schema first, (3) test functions on a small
window,
(4) counts match the source, (5) monitor the full 24 hours, (6) clean up only after they were verified. Must
not:
(7) delete from the source before, (8) skip schema validation, (9) run a test suite in the run, (10) deploy
without the
code changes, (11) assume that the aggregator moves by itself, (12) clean up early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migration_runs.runbook import identifiers
from migration_runs.runbook.lint_sql import Looked
from migration_runs.runbook.plan import PhasePlan, Runbook
from migration_runs.runbook.steps import (
    AssertStep,
    BackupStep,
    CheckStep,
    ConfirmStep,
    CopyStep,
    DeleteStep,
    DualWriteStep,
    MonitorStep,
    ObserveStep,
    RehearseSqlStep,
    SoftDeleteStep,
    SqlStep,
    StepBase,
    VerifyStep,
)
from migration_runs.runbook.toml_lines import Path

Fault = tuple[Path, str]
WINDOW_HOURS = 24.0
MAX_HEALTH_CHECKS = 5


def check(runbook: Runbook, looked: Sequence[Looked]) -> Iterator[Fault]:
    """Every breach, with its place; the message names the rule."""
    yield from _backup(runbook, looked)
    yield from _validation(runbook)
    yield from _trials(runbook, looked)
    yield from _copy(runbook)
    yield from _window(runbook)
    yield from _retirement(runbook)
    yield from _source_untouched(runbook, looked)
    yield from _health_checks(runbook)
    yield from _code_changes(runbook)
    yield from _observed(runbook)


def _backup(runbook: Runbook, looked: Sequence[Looked]) -> Iterator[Fault]:
    phase = runbook.phase(1)
    backup = _first(phase, BackupStep)
    if backup is None:
        yield ("phases", 0), "rule 1: phase 1 has no backup"
        return
    for position, step in enumerate(phase.steps[:backup]):
        if _changes(step):
            yield _at(phase, position), f"rule 1: step '{step.key}' may change something before the backup"
    written = {
        reference.qualified
        for one in looked
        for reference in one.references
        if reference.kind == "relation" and reference.verb not in ("read", "lock")
    } & set(runbook.tables)
    step = phase.steps[backup]
    assert isinstance(step, BackupStep)
    missing = ({runbook.move.source, runbook.move.target} | written) - set(step.tables)
    if missing:
        yield (
            _at(phase, backup),
            f"rule 1: the backup leaves out what the plan writes to: {', '.join(sorted(missing))}",
        )
    if _first(phase, RehearseSqlStep) is None:
        yield (
            ("phases", 0),
            "rule 1: phase 1 has no rehearse_sql step: the first execution of a file would be the real one",
        )


def _validation(runbook: Runbook) -> Iterator[Fault]:
    phase = runbook.phase(2)
    asserts = [step for step in phase.steps if isinstance(step, AssertStep)]
    if not asserts:
        yield ("phases", 1), "rules 2 and 8: phase 2 asserts nothing"
    elif not any("indisunique" in step.sql.text for step in asserts):
        yield (
            ("phases", 1),
            "rule 8: no assertion of phase 2 looks at the unique index (pg_index.indisunique)",
        )


def _trials(runbook: Runbook, looked: Sequence[Looked]) -> Iterator[Fault]:
    defining = {id(one.use.step) for one in looked if one.use.purpose == "execute" and _defines_function(one)}
    for number in (3, 5):
        phase = runbook.phase(number)
        last = max((at for at, step in enumerate(phase.steps) if id(step) in defining), default=None)
        if last is not None and not any(_judges(step) for step in phase.steps[last + 1 :]):
            key = phase.steps[last].key
            message = f"rule 3: nothing behind step '{key}' tries the functions that phase {number} creates"
            yield _at(phase, last), f"{message}: a trial or call with a verdict, or an assertion"
    for number in (1, 2, 4, 6, 7, 8, 9):
        phase = runbook.phase(number)
        for position, step in enumerate(phase.steps):
            if id(step) in defining:
                yield (
                    _at(phase, position),
                    f"rule 3: functions are created in phases 3 and 5, not in phase {number}",
                )


def _copy(runbook: Runbook) -> Iterator[Fault]:
    phase = runbook.phase(4)
    wanted = ("dual_write forward", "copy chunks", "copy settle", "verify")
    found = [name for name in map(_copy_name, phase.steps) if name]
    if tuple(found) != wanted:
        message = f"rule 4: phase 4 must have, in this order and once each, {', '.join(wanted)}"
        yield ("phases", 3), f"{message}; it has {', '.join(found) or 'none'}"
    for other in runbook.phases:
        for position, step in enumerate(other.steps):
            if other.number != 4 and (isinstance(step, CopyStep) or _copy_name(step) == wanted[0]):
                yield _at(other, position), f"rule 4: step '{step.key}' belongs into phase 4"


def _window(runbook: Runbook) -> Iterator[Fault]:
    if runbook.window.hours < WINDOW_HOURS:
        yield (
            ("window", "hours"),
            f"rule 5: the window is {runbook.window.hours:g} h, and must be {WINDOW_HOURS:g} at least",
        )
    if _first(runbook.phase(8), MonitorStep) is None:
        yield ("phases", 7), "rule 5: phase 8 has no monitor step"
    hourly = [check for check in runbook.checks if check.in_window]
    if not any(check.builtin == "verification" for check in hourly):
        yield (
            ("checks",),
            'rules 5 and 6: no check of the window is the verification (builtin = "verification")',
        )
    if not any(check.sql is not None for check in hourly):
        yield ("checks",), "rule 5: no check of the window measures anything"


def _retirement(runbook: Runbook) -> Iterator[Fault]:
    for phase in runbook.phases:
        for position, step in enumerate(phase.steps):
            if phase.number != 9 and isinstance(step, SoftDeleteStep | DeleteStep):
                yield _at(phase, position), f"rules 7 and 12: step '{step.key}' retires rows before phase 9"
    last = runbook.phase(9)
    retiring = [at for at, step in enumerate(last.steps) if isinstance(step, SoftDeleteStep | DeleteStep)]
    if len(retiring) != 1:
        yield (
            ("phases", 8),
            "rule 6: phase 9 must have exactly one step that retires rows (soft_delete or delete)",
        )
        return
    wanted = SoftDeleteStep if runbook.move.active is not None else DeleteStep
    if not isinstance(last.steps[retiring[0]], wanted):
        yield (
            _at(last, retiring[0]),
            "rule 7: a move with an active rule retires by soft_delete, one without by delete",
        )
    if not any(isinstance(step, VerifyStep) for step in last.steps[: retiring[0]]):
        yield (
            _at(last, retiring[0]),
            "rule 6: nothing in phase 9 verifies that both sides are equal before rows are retired",
        )
    if not any(isinstance(step, AssertStep) for step in last.steps[retiring[0] + 1 :]):
        yield _at(last, retiring[0]), "rule 6: nothing in phase 9 looks for orphans behind the cleanup"


def _source_untouched(runbook: Runbook, looked: Sequence[Looked]) -> Iterator[Fault]:
    for one in looked:
        for reference in one.references:
            where = f"rule 7: {one.use.file.path}:{reference.line}"
            of_source = reference.kind == "relation" and reference.qualified == runbook.move.source
            if of_source and reference.verb in ("delete", "truncate", "drop"):
                yield one.use.place, f"{where} deletes from the source; only phase 9 retires rows"
            elif reference.verb == "truncate" or (
                reference.verb == "drop" and reference.qualified == runbook.move.target
            ):
                yield one.use.place, f"{where} empties or drops {reference.qualified}"
        yield from _retires_by_update(one, runbook)


def _retires_by_update(one: Looked, runbook: Runbook) -> Iterator[Fault]:
    """An UPDATE of the source that sets its active column withdraws rows."""
    active = runbook.move.active
    if active is None:
        return
    for statement in one.statements:
        updates = [
            reference
            for reference in identifiers.references(statement)
            if reference.verb == "update" and reference.qualified == runbook.move.source
        ]
        tokens = [token for token in statement if token.is_name]
        if (
            updates
            and not identifiers.is_code(statement)
            and any(token.text == active.column for token in tokens)
        ):
            where = f"rule 7: {one.use.file.path}:{updates[0].line}"
            yield one.use.place, f"{where} updates {active.column} of the source; only phase 9 retires rows"


def _health_checks(runbook: Runbook) -> Iterator[Fault]:
    phase = runbook.phase(6)
    if len(phase.steps) > MAX_HEALTH_CHECKS:
        message = f"rule 9: phase 6 has {len(phase.steps)} steps; a few health checks"
        yield ("phases", 5), f"{message} ({MAX_HEALTH_CHECKS} at most), no test suite"
    for position, step in enumerate(phase.steps):
        looks = isinstance(step, CheckStep | ConfirmStep | AssertStep) or (
            isinstance(step, SqlStep) and _judges(step)
        )
        if not looks or _changes(step):
            yield _at(phase, position), f"rule 9: step '{step.key}' of phase 6 is not a health check"


def _code_changes(runbook: Runbook) -> Iterator[Fault]:
    phase = runbook.phase(5)
    if _first(phase, ConfirmStep) is None:
        yield (
            ("phases", 4),
            "rule 10: phase 5 has no confirm step: the code that changes elsewhere needs evidence",
        )
    reverse = [
        (other.number, position)
        for other in runbook.phases
        for position, step in enumerate(other.steps)
        if isinstance(step, DualWriteStep) and step.direction == "reverse"
    ]
    if len(reverse) != 1 or reverse[0][0] not in (4, 5):
        yield (
            ("phases", 4),
            "rule 10: dual_write reverse must be turned on once, in phase 5 (or at the end of phase 4)",
        )
        return
    for position, step in enumerate(phase.steps):
        if reverse[0] > (5, position) and _changes(step) and not isinstance(step, DualWriteStep):
            yield (
                _at(phase, position),
                f"rule 10: step '{step.key}' switches code before reverse dual-write is on",
            )
    deploy = runbook.phase(7)
    confirm = _first(deploy, ConfirmStep)
    if confirm is None:
        yield ("phases", 6), "rule 10: phase 7 has no confirm step with the deployment's evidence"
    else:
        step = deploy.steps[confirm]
        assert isinstance(step, ConfirmStep)
        if step.undo_text is None:
            yield (
                _at(deploy, confirm),
                f"rule 10: step '{step.key}' must say what is deployed again on a rollback (undo_text)",
            )


def _observed(runbook: Runbook) -> Iterator[Fault]:
    deploy = runbook.phase(7)
    confirm, observe = _first(deploy, ConfirmStep), _first(deploy, ObserveStep)
    if observe is None:
        yield (
            ("phases", 6),
            "rule 11: phase 7 observes nothing: the database must show that the callers moved",
        )
    elif confirm is not None and observe < confirm:
        yield _at(deploy, observe), "rule 11: the switch is observed before it is deployed"
    proving = [
        step
        for number in (5, 6)
        for step in runbook.phase(number).steps
        if isinstance(step, CheckStep | ObserveStep) or _judges(step)
    ]
    if not any(isinstance(step, CheckStep | ObserveStep) for step in proving):
        yield (
            ("phases", 5),
            "rule 11: neither phase 5 nor 6 has a check or observe step that shows readers and jobs moving",
        )


# -- small things


def _at(phase: PhasePlan, position: int) -> Path:
    return ("phases", phase.number - 1, "steps", position)


def _first(phase: PhasePlan, kind: type[StepBase]) -> int | None:
    return next((at for at, step in enumerate(phase.steps) if isinstance(step, kind)), None)


def _changes(step: StepBase) -> bool:
    """Whether the step may change the target."""
    if isinstance(step, SqlStep):
        return not step.trial
    if isinstance(step, AssertStep):
        return step.repair is not None
    return isinstance(step, DualWriteStep | CopyStep | SoftDeleteStep | DeleteStep)


def _judges(step: StepBase) -> bool:
    """Whether the step says yes or no about what it finds."""
    return isinstance(step, AssertStep | CheckStep) or (
        isinstance(step, SqlStep) and step.verdict is not None
    )


def _copy_name(step: StepBase) -> str:
    if isinstance(step, DualWriteStep) and step.direction == "forward":
        return "dual_write forward"
    if isinstance(step, CopyStep):
        return f"copy {step.part}"
    return "verify" if isinstance(step, VerifyStep) else ""


def _defines_function(one: Looked) -> bool:
    return any(reference.kind == "function" and reference.verb == "define" for reference in one.references)
