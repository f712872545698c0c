"""A verification whose worker is killed: the next one goes on with the buckets that are left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from controlpanel.embedded_databases import ControlUrls, TargetUrls
from migration_runs import beside
from migration_runs.engine.move import buckets
from migration_runs.models import VerificationBucket, VerificationPass, VerificationReport
from tests import plans, runs

ROWS = 2_000
WORKER = """
import os, sys, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
import django
django.setup()
from django.conf import settings
from django.db import connections
from migration_runs.engine.move import buckets
buckets.Size.took = lambda self, rows, seconds: None
buckets.Size.__init__.__defaults__ = (100,)
connections["default"].settings_dict.update({control!r})
settings.TARGETS["bars"] = {target!r}
from migration_runs.services import verification_passes
keep = verification_passes.keep
def slowly(*given):
    keep(*given)
    time.sleep(0.1)
verification_passes.keep = slowly
from migration_runs import beside
beside.verify_run({run})
"""
GIVE_UP_S = 120.0


def test_a_pass_whose_worker_is_killed_goes_on_with_the_buckets_left(
    control_db: ControlUrls, target: TargetUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.make_tables(target.owner_url, rows=ROWS)
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("INSERT INTO new_things SELECT * FROM old_things")
    phase = runs.run_in_phase(plans.plan(), number=8)
    worker = _start(control_db, target, phase.run_id)
    started = time.monotonic()
    while VerificationBucket.objects.exclude(seen_in=None).count() < 3:
        assert worker.poll() is None, "the worker ended before it was killed"
        assert time.monotonic() - started < GIVE_UP_S
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    current = VerificationPass.objects.get(run=phase.run_id)
    assert current.finished_at is None
    before = {row.pk: row.seen_at for row in VerificationBucket.objects.filter(seen_in=current)}
    assert 3 <= len(before) < ROWS / 100
    assert not VerificationReport.objects.exists()

    compared: list[buckets.Bucket] = []
    real = buckets.walk

    def walk(*given: object, **more: object) -> object:
        for one in real(*given, **more):  # type: ignore[arg-type]
            compared.append(one.bucket)
            yield one

    monkeypatch.setattr(buckets, "walk", walk)
    report = beside.verify_run(phase.run_id)
    assert report is not None
    assert (report.clean, report.source_rows, report.target_rows) == (True, ROWS, ROWS)
    assert report.number == current.number
    assert report.started_at == current.started_at
    assert {pk: row.seen_at for pk, row in VerificationBucket.objects.in_bulk(before).items()} == before
    assert sum(one.rows or 0 for one in compared) < ROWS
    assert VerificationPass.objects.get(pk=current.pk).finished_at is not None


def _start(control: ControlUrls, target: TargetUrls, run_id: int) -> subprocess.Popen[bytes]:
    """A worker that compares a hundred rows a bucket and takes its time."""
    wanted = psycopg.conninfo.conninfo_to_dict(control.app_url)
    settings = {
        "NAME": wanted["dbname"], "USER": wanted["user"], "PASSWORD": wanted["password"],
        "HOST": wanted["host"], "PORT": wanted["port"],
    }  # fmt: skip
    text = WORKER.format(control=settings, target=target.runner_url, run=run_id)
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", text], cwd=root)
