"""What must hold after every fault. Each function returns its violations in words; none is the goal.

They are asked when the run has come to rest: between two phases, completed or rolled back, with the live
writer stopped: :func:`violations` asks them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from migration_runs.engine.move import verification
from migration_runs.models import AuditEvent, PhaseRun
from migration_runs.runbook.plan import Plan
from migration_runs.services import audit
from migration_runs.states import PHASE_TRANSITIONS, RUN_TRANSITIONS, may_move
from tests.faults.journal import ACTIVE, Side
from tests.faults.prestate import PreState
from tests.faults.scene import GIVE_UP_S, LEASE_S
from tests.faults.world import Stage

RESUME_WITHIN_S = LEASE_S + 60.0
EXAMPLES = 3

OURS = "application_name LIKE 'phasegate/%'"
HELD = f"""
SELECT a.application_name, a.state, l.mode, coalesce(l.relation::regclass::text, l.locktype)
  FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
 WHERE a.datname = current_database() AND a.{OURS} AND a.pid <> pg_backend_pid()
   AND (a.state LIKE 'idle in transaction%' OR NOT l.granted)
"""
TRIGGERS = """
SELECT format('trigger %s on %s', t.tgname, t.tgrelid::regclass)
  FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE NOT t.tgisinternal AND p.pronamespace = to_regnamespace('phasegate')
"""
FUNCTIONS = """
SELECT 'function ' || p.oid::regprocedure FROM pg_proc AS p
 WHERE p.pronamespace = to_regnamespace('phasegate') AND starts_with(p.proname, %s)
"""
INVALID = (
    "SELECT 'invalid index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid OR NOT indisready"
)


def equal_tables(stage: Stage) -> list[str]:
    """Source = target by verification, once what the triggers had to leave undone has been drained."""
    plan, run = Plan.from_json(stage.run.plan.body), stage.run
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        found = verification.verify(stage.world.target.runner_url, plan, run.uid)
        if not found.pending or not found.clean or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if found.clean and not found.pending:
        return []
    counts = f"{found.missing} missing, {found.extra} extra, {found.different} different"
    lag = f"{found.pending} never drained"
    return [f"source and target differ: {counts}, {lag}; {found.examples[:EXAMPLES]}"]


def nothing_lost(stage: Stage, side: Side) -> list[str]:
    """0 rows lost, 0 twice, 0 changed: the application's table against the journal, history included."""
    seen: dict[int, str] = {}
    found = []
    for n, body in stage.query(ACTIVE[side]):
        if n in seen:
            found.append(f"thing {n} is in the {side} table twice")
        seen[n] = body
    said = stage.journal.now()
    wrong = [n for n, one in said.items() if seen.get(n) not in one.bodies]
    found += [
        f"thing {n} is {seen.get(n)!r} in the {side} table, committed was {said[n].bodies}" for n in wrong
    ]
    found += [f"thing {n} is in the {side} table, though nobody wrote it" for n in seen.keys() - said.keys()]
    return found


def read_once(stage: Stage) -> list[str]:
    """Whoever reads through the reader sees each thing exactly once, now."""
    seen = [n for (n,) in stage.query("SELECT n FROM public.things_seen()")]
    wanted = {n for n, said in stage.journal.now().items() if None not in said.bodies}
    twice = len(seen) - len(set(seen))
    lost = wanted - set(seen)
    found = [f"the reader sees {twice} things twice"] if twice else []
    return found + ([f"the reader misses {len(lost)} things: {sorted(lost)[:EXAMPLES]}"] if lost else [])


def prestate_restored(stage: Stage) -> list[str]:
    """After a rollback: definitions, and every row that the live writer did not touch, are as before.

    With the decision "keep" copied rows stay, and with them a reader that does not see them twice.
    """
    before = stage.world.prestates[stage.decision]
    now = PreState.read(stage.world.target.dsn)
    if stage.decision == "keep":
        copied = AuditEvent.objects.filter(
            run=stage.run, action="phase.finish", detail__phase=4, detail__to="awaiting_sign_off"
        )
        before = before.with_kept(now, copied=copied.exists())
    return before.differences(now)


def nothing_left_behind(stage: Stage) -> list[str]:
    """No lock of ours, no transaction of ours left open, no invalid index.

    No trigger of ours either once the run is over or before it copies, no function of it once it is undone.
    """
    found = [f"left on the target: {' '.join(map(str, row))}" for row in _lasting(stage, HELD)]
    found += [text for (text,) in stage.query(INVALID)]
    run = stage.run
    copying = PhaseRun.objects.filter(run=run, number=4).exclude(state__in=["pending", "ready", "undone"])
    if run.state in {"completed", "sealed", "rolled_back"} or not copying.exists():
        found += [text for (text,) in stage.query(TRIGGERS)]
    if run.state == "rolled_back":
        found += [text for (text,) in stage.query(FUNCTIONS, stage.run_prefix)]
    return found


def one_event_per_transition(stage: Stage) -> list[str]:
    """The audit's moves of run and phases follow one another, by legal arrows, to today's state."""
    found = []
    run = stage.run
    paths: dict[str, list[tuple[str, str]]] = {}
    for event in AuditEvent.objects.filter(run=run).order_by("seq"):
        if "from" in event.detail and event.action.startswith(("run.", "phase.")):
            name = f"phase {event.detail['phase']}" if event.action.startswith("phase.") else "run"
            paths.setdefault(name, []).append((event.detail["from"], event.detail["to"]))
    states = {f"phase {p.number}": str(p.state) for p in PhaseRun.objects.filter(run=run)}
    for name, state in {"run": str(run.state), **states}.items():
        at = "draft" if name == "run" else "pending"
        table = RUN_TRANSITIONS if name == "run" else PHASE_TRANSITIONS
        for source, target in paths.get(name, []):
            if source != at or not may_move(table, source, target):
                found.append(f"the audit tells of {name}: {source} to {target}, while it was {at}")
            at = target
        if at != state:
            found.append(f"{name} is {state}, but the audit's last move of it ended in {at}")
    return found


def chain_verifies(stage: Stage) -> list[str]:
    """The audit's hash chain is whole."""
    verified = audit.verify()
    return [] if verified.intact else [f"the audit breaks at event {verified.broken_at}: {verified.why}"]


def application_unharmed(stage: Stage) -> list[str]:
    """0 errors seen by the live writer and reader; nothing seen twice or missed while they ran."""
    found = []
    for alive in (stage.writer, stage.reader):
        if alive is not None:
            found += [text for text in alive.errors if not any(known in text for known in stage.excused)]
            if not alive.rounds:
                found.append(f"the live {alive.name} never did anything, so nothing was proven about it")
            if alive.losses and not stage.target_was_hurt:
                found.append(f"the live {alive.name} lost its connection, though nobody hurt its server")
    return found + (stage.reader.violations if stage.reader is not None else [])


def resumed_in_time(seconds: float) -> list[str]:
    """A run resumes without a person within lease + 60 s of the fault's end."""
    if seconds <= RESUME_WITHIN_S:
        return []
    return [f"the run went on after {seconds:.0f} s, not within {RESUME_WITHIN_S:.0f} s"]


ALWAYS: tuple[Callable[[Stage], list[str]], ...] = (
    read_once,
    nothing_left_behind,
    one_event_per_transition,
    chain_verifies,
    application_unharmed,
)


def violations(stage: Stage) -> list[str]:
    """Everything that is not as it must be, now that the run has come to rest between two phases or is over.

    Stops the live writer and reader first.
    """
    return [text for texts in by_name(stage).values() for text in texts]


def by_name(stage: Stage) -> dict[str, list[str]]:
    """:func:`violations`, by the name of the invariant in words. Only those that are violated are in it."""
    stage.quiet()
    run = stage.run
    asked = list(ALWAYS)
    side: Side = stage.writer.version if stage.writer is not None else "old"
    asked.append(partial(nothing_lost, side=side))
    done = set(PhaseRun.objects.filter(run=run, state="done").values_list("number", flat=True))
    if run.state == "rolled_back":
        asked.append(prestate_restored)
    elif 9 in done:
        asked.append(partial(nothing_lost, side="new"))
    elif 4 in done:
        asked.append(equal_tables)
    found: dict[str, list[str]] = {}
    for invariant in asked:
        if texts := invariant(stage):
            function = invariant.func if isinstance(invariant, partial) else invariant
            found.setdefault(function.__name__.replace("_", " "), []).extend(texts)
    return found


def _lasting(stage: Stage, query: str) -> list[tuple[object, ...]]:
    """Rows that are still there after a moment: workers beside the run come and go."""
    deadline = time.monotonic() + LEASE_S + 2.0
    rows = stage.query(query)
    while rows and time.monotonic() < deadline:
        time.sleep(0.1)
        rows = stage.query(query)
    return rows
