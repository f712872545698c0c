"""``backup`` steps: what is dumped is proven to come back, and whatever goes wrong is said plainly."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import runner
from migration_runs.engine.job import Job
from migration_runs.engine.outcome import Outcome
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping
from tests.integration.stepping import Memory

WORLD = """
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touch BEFORE UPDATE ON public.old_things FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TABLE public.elsewhere (id bigint PRIMARY KEY, mood public.mood);
INSERT INTO public.elsewhere VALUES (1, 'good');
ALTER TABLE public.old_things ADD COLUMN other bigint REFERENCES public.elsewhere;
UPDATE public.old_things SET other = 1;
ALTER TABLE public.old_things ENABLE ROW LEVEL SECURITY;
"""
TABLES = ["public.old_things", "public.new_things"]


@pytest.fixture(autouse=True)
def world(target: TargetUrls) -> None:
    stepping.make_tables(target, rows=500)
    stepping.execute(target, WORLD)


def backup_plan(**more: Any) -> Plan:
    step = {
        "kind": "backup",
        "key": "backup",
        "title": "backup",
        "undo_none": "a file",
        "tables": TABLES,
        **more,
    }
    plan = plans.plan({1: [step]})
    book = plan.runbook.model_copy(update={"functions": ("public.touch()",)})
    return plan.model_copy(update={"runbook": book})


def backup(
    target: TargetUrls, scratch: TargetUrls | None, folder: Path, plan: Plan | None = None, **more: Any
) -> tuple[Job, Memory, Outcome]:
    job = stepping.job(plan or backup_plan(), target, phase=1, scratch=scratch, backup_dir=folder, **more)
    memory = Memory()
    return job, memory, runner.run_phase(job, memory)


def test_a_backup_is_restored_and_counted_before_it_counts(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    _, memory, outcome = backup(target, scratch, tmp_path)
    assert outcome.status == "finished", outcome.error
    kept = memory.results["backup"]
    path = Path(kept["path"])
    assert kept["counts"] == kept["restored"] == {"public.old_things": 500, "public.new_things": 0}
    assert kept["functions"] == ["public.touch"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == kept["sha256"]
    assert path.stat().st_size == kept["bytes"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["backup.dump"]


def test_nothing_of_the_backup_stays_in_the_scratch_database(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    backup(target, scratch, tmp_path)
    count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert stepping.one(scratch, count) == 0


def test_the_password_is_not_among_the_arguments(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: embedded.Cluster
) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    seen = tmp_path / "seen"
    for name in ("pg_dump", "pg_restore"):
        wrapper = bin_dir / name
        wrapper.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nexec {cluster.pg_bin_dir / name} "$@"\n')
        wrapper.chmod(0o755)
    _, _, outcome = backup(target, scratch, tmp_path / "backups", pg_bin_dir=bin_dir)
    assert outcome.status == "finished", outcome.error
    password = psycopg.conninfo.conninfo_to_dict(target.runner_url)["password"]
    assert "--format=custom" in seen.read_text()
    assert str(password) not in seen.read_text()


def test_a_pg_dump_older_than_the_server_is_refused(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "pg_dump (PostgreSQL) 9.6"\n')
    program.chmod(0o755)
    _, _, outcome = backup(target, scratch, tmp_path, pg_bin_dir=tmp_path)
    assert outcome.status == "failed"
    assert "older than the server" in outcome.error
    assert "PG_BIN_DIR" in outcome.next_step


def test_a_directory_that_cannot_be_written_is_named(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    _, _, outcome = backup(target, scratch, blocked / "backups")
    assert outcome.status == "failed"
    assert "cannot be written" in outcome.error
    assert str(blocked) in outcome.error
    assert "BACKUP_DIR" in outcome.next_step


def test_a_full_disk_ends_the_backup_and_leaves_no_part_of_it(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    """The limit on a file's size stands in for a full disk: the write fails in the same place."""
    script = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from migration_runs.engine import runner
        from migration_runs.runbook.plan import Plan
        from tests.integration import stepping
        from controlpanel.embedded_databases import TargetUrls
        import json
        given = json.load(sys.stdin)
        target, scratch = TargetUrls(**given["target"]), TargetUrls(**given["scratch"])
        plan = Plan.from_json(given["plan"])
        job = stepping.job(plan, target, phase=1, scratch=scratch, backup_dir=Path(given["folder"]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        outcome = runner.run_phase(job, stepping.Memory())
        print(outcome.status, outcome.error)
    """)
    given = {
        "target": vars(target),
        "scratch": vars(scratch),
        "plan": backup_plan().model_dump(mode="json"),
        "folder": str(tmp_path),
    }
    answer = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert answer.stdout.startswith("failed the backup cannot be written"), answer.stdout + answer.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_pg_dump_that_is_killed_fails_the_step(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: embedded.Cluster
) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    program = bin_dir / "pg_dump"
    real = cluster.pg_bin_dir / "pg_dump"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\necho half a dump\nkill -KILL $$\n'
    )
    program.chmod(0o755)
    _, _, outcome = backup(target, scratch, tmp_path / "backups", pg_bin_dir=bin_dir)
    assert outcome.status == "failed"
    assert "SIGKILL" in outcome.error
    assert not [path for path in (tmp_path / "backups").rglob("*") if path.is_file()]


def test_rows_hidden_by_row_security_fail_the_backup(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    stepping.execute(target, "ALTER TABLE public.old_things FORCE ROW LEVEL SECURITY")
    _, _, outcome = backup(target, scratch, tmp_path)
    assert outcome.status == "failed"
    assert "row-level security" in outcome.error


def test_a_missing_table_is_named(target: TargetUrls, scratch: TargetUrls, tmp_path: Path) -> None:
    plan = backup_plan(tables=["public.old_things", "public.nowhere"])
    _, _, outcome = backup(target, scratch, tmp_path, plan)
    assert outcome.status == "failed"
    assert "public" in outcome.error
    assert "nowhere" in outcome.error


def test_without_a_scratch_database_nothing_is_proven(target: TargetUrls, tmp_path: Path) -> None:
    _, _, outcome = backup(target, None, tmp_path)
    assert outcome.status == "failed"
    assert "has no scratch database" in outcome.error
    assert "SCRATCH_BARS_URL" in outcome.next_step


def test_a_scratch_database_that_is_away_is_said_without_its_password(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    gone = TargetUrls(**{**vars(scratch), "runner_url": scratch.runner_url + "_nowhere"})
    _, _, outcome = backup(target, gone, tmp_path)
    assert outcome.status == "failed"
    assert "scratch" in outcome.error
    assert str(psycopg.conninfo.conninfo_to_dict(scratch.runner_url)["password"]) not in outcome.error


def test_the_target_is_never_taken_for_the_scratch_database(target: TargetUrls, tmp_path: Path) -> None:
    _, _, outcome = backup(target, target, tmp_path)
    assert outcome.status == "failed"
    assert "is the target itself" in outcome.error
    assert stepping.one(target, "SELECT count(*) FROM old_things") == 500


def test_a_database_that_is_not_marked_as_scratch_is_not_emptied(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    stepping.execute(scratch, "CREATE TABLE public.somebodys (id int)")
    _, _, outcome = backup(target, scratch, tmp_path)
    assert outcome.status == "failed"
    assert "not marked as scratch" in outcome.error
    assert "public.somebodys" in outcome.error
    assert stepping.one(scratch, "SELECT count(*) FROM public.somebodys") == 0


def test_a_marked_scratch_database_is_emptied_first(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path
) -> None:
    stepping.execute(scratch, "CREATE TABLE public.left_over (id int)")
    with psycopg.connect(scratch.runner_url) as conn:
        conn.execute("CREATE SCHEMA phasegate_scratch")
    _, _, outcome = backup(target, scratch, tmp_path)
    assert outcome.status == "finished", outcome.error


def test_a_backup_that_cannot_be_restored_fails(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: embedded.Cluster
) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (bin_dir / name).symlink_to(cluster.pg_bin_dir / name)
    program = bin_dir / "pg_dump"
    program.unlink()
    real = cluster.pg_bin_dir / "pg_dump"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\n{real} "$@" | head -c 2500\n'
    )
    program.chmod(0o755)
    _, _, outcome = backup(target, scratch, tmp_path / "backups", pg_bin_dir=bin_dir)
    assert outcome.status == "failed"
    assert "pg_restore" in outcome.error


def test_a_row_that_the_dump_lacks_is_found_by_counting(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: embedded.Cluster
) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "pg_restore").symlink_to(cluster.pg_bin_dir / "pg_restore")
    program, real = bin_dir / "pg_dump", cluster.pg_bin_dir / "pg_dump"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\n'
        f'exec {real} --exclude-table-data=public.old_things "$@"\n'
    )
    program.chmod(0o755)
    _, _, outcome = backup(target, scratch, tmp_path / "backups", pg_bin_dir=bin_dir)
    assert outcome.status == "failed"
    assert "public.old_things: 0 of 500" in outcome.error


def test_a_stop_during_the_dump_leaves_no_part_of_it(
    target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: embedded.Cluster
) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    program = bin_dir / "pg_dump"
    real = cluster.pg_bin_dir / "pg_dump"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\necho half a dump\nexec sleep 60\n'
    )
    program.chmod(0o755)
    job = stepping.job(
        backup_plan(), target, phase=1, scratch=scratch, backup_dir=tmp_path / "backups", pg_bin_dir=bin_dir
    )
    memory = Memory()
    asked: list[int] = []

    def stop_at_the_second_look() -> None:
        asked.append(1)
        memory.stop = len(asked) > 1

    memory.on_beat = stop_at_the_second_look
    assert runner.run_phase(job, memory).status == "paused"
    assert not [path for path in (tmp_path / "backups").rglob("*") if path.is_file()]
