"""A run with every kind of step that has an effect, on small tables; what stands of it at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

READER = "CREATE OR REPLACE FUNCTION public.reader() RETURNS text LANGUAGE sql AS $$SELECT '{}'$$"
WORLD = f"""
{READER.format("old")};
CREATE INDEX of_old ON public.old_things (body);
"""
INDEX = "CREATE {unique}INDEX CONCURRENTLY {name} ON public.{table} (body)"
GONE = "DROP INDEX CONCURRENTLY public.{}"
HAS_INDEX = (
    "SELECT coalesce(bool_and(indisvalid), false) AS ok, 'a unique index' AS message FROM pg_index "
    "WHERE indexrelid = to_regclass('public.unique_body')"
)
ROWS = 300
PHASES = {
    "has_index": 2, "reader": 3, "index": 3, "unindex": 3, "forward_on": 4, "copy": 4, "settle": 4,
    "reverse_on": 5, "retire": 9, "backup": 1, "rehearse": 1,
}  # fmt: skip
"""The phase of every step with an effect, or with something outside the target."""

UNDOABLE = ("has_index", "reader", "index", "unindex", "copy", "reverse_on", "retire")

BOTH = "('public.old_things'::regclass, 'public.new_things'::regclass)"
STANDS = {
    "source": "SELECT id, body FROM public.old_things ORDER BY id",
    "target": "SELECT id, body FROM public.new_things ORDER BY id",
    "reader": "SELECT prosrc FROM pg_proc WHERE proname = 'reader'",
    "indexes": "SELECT c.relname::text, indisvalid FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid "
    f"WHERE indrelid IN {BOTH} ORDER BY 1",
    "triggers": "SELECT regexp_replace(tgname, 'r[0-9a-f]{8}', 'r') AS name FROM pg_trigger "
    "WHERE NOT tgisinternal ORDER BY 1",
}
AS_TEXTS = (
    "SELECT coalesce(array_agg(line), '{{}}') FROM "
    "(SELECT row_to_json(found)::text AS line FROM ({}) AS found) AS lines"
)


def plan() -> Plan:
    """Phases 1 to 5 and 9 with one step of each kind that leaves something."""
    repair = {
        "kind": "assert", "key": "has_index", "title": "has_index", "sql": plans.sql_file(HAS_INDEX),
        "repair": plans.sql_file(INDEX.format(unique="UNIQUE ", name="unique_body", table="old_things")),
        "undo": plans.sql_file(GONE.format("unique_body")),
    }  # fmt: skip
    reader = plans.sql_step("reader", READER.format("new"), before_image={"functions": ["public.reader()"]})
    by_body = INDEX.format(unique="", name="by_body", table="new_things")
    of_old = INDEX.format(unique="", name="of_old", table="old_things")
    del reader["undo_none"]
    filled = plans.plan({
        1: [
            _step("backup", "backup", tables=["public.old_things"]),
            _step("rehearse", "rehearse_sql"),
        ],
        2: [repair],
        3: [
            reader,
            plans.sql_step("index", by_body, undo=GONE.format("by_body"), transaction=False),
            plans.sql_step("unindex", GONE.format("of_old"), undo=of_old, transaction=False),
        ],
        4: [
            _step("forward_on", "dual_write", direction="forward"),
            _step("copy", "copy", part="chunks"),
            _step("settle", "copy", part="settle"),
        ],
        5: [_step("reverse_on", "dual_write", direction="reverse")],
        9: [_step("retire", "delete")],
    })  # fmt: skip
    runbook = filled.runbook.model_copy(update={"functions": ("public.reader()",)})
    return filled.model_copy(update={"data_decision": "delete", "runbook": runbook})


def _step(key: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "title": key, "kind": kind, "undo_none": "the kind undoes itself", **more}


@dataclass
class IntentWorld:
    """The run, and its newest worker's job. ``begun`` are the phases that were worked on, in order."""

    target: TargetUrls
    job: Job
    begun: list[int] = field(default_factory=list)

    def next_worker(self, phase: int) -> Job:
        """The job of a worker that takes the phase up."""
        self.job = stepping.again(self.job, phase=phase)
        if phase not in self.begun:
            self.begun.append(phase)
        return self.job

    def work(self, phase: int) -> Memory:
        """Another worker carries the phase out to its end."""
        memory = Memory()
        outcome = runner.run_phase(self.next_worker(phase), memory)
        assert outcome.status == "finished", outcome
        return memory

    def work_until(self, phase: int) -> None:
        """The phases before this one, but for the first, which changes nothing in the target."""
        for number in (2, 3, 4, 5, 9):
            if number < phase:
                self.work(number)

    def undo(self) -> None:
        """Every phase that was begun is undone, last first."""
        for number in reversed(self.begun):
            outcome = runner.undo_phase(self.next_worker(number), Memory())
            assert outcome.status == "finished", outcome

    def stands(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the target that a step may have changed, and what a killed worker may have left."""
        found = {}
        for what, query in STANDS.items():
            found[what] = stepping.one(self.target, AS_TEXTS.format(query))
        found["half a dump"] = [str(part) for part in Path(self.job.backup_dir).rglob("*.partial")]
        return found


def make(target: TargetUrls, scratch: TargetUrls, backup_dir: Path, pg_bin_dir: Path) -> IntentWorld:
    """Tables with rows, and the run before its first phase."""
    stepping.make_tables(target, rows=ROWS)
    stepping.execute(target, WORLD)
    job = stepping.job(plan(), target, phase=1, scratch=scratch, backup_dir=backup_dir, pg_bin_dir=pg_bin_dir)
    return IntentWorld(target, job)
