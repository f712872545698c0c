"""``manage.py verify`` as a process of its own: figures, exit codes, refusals in clear words."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import AuditEvent, VerificationReport
from migration_runs.phases import Role
from tests import runs as tables
from tests.conftest import RunManage
from tests.control import NAMES, Scene, make_people
from tests.integration import panel


@pytest.fixture
def copied(run_manage: RunManage, target: TargetUrls) -> Scene:
    """A run between phases 4 and 5 whose tables are equal."""
    tables.make_tables(target.owner_url, rows=30)
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("INSERT INTO new_things SELECT * FROM old_things")
    return Scene.at_phase(5)


def verify(run_manage: RunManage, scene: Scene, *words: str, role: Role = Role.DBA) -> tuple[int, str, str]:
    done = run_manage("verify", str(scene.run_id), *words, "--as", NAMES[role])
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def damage(target: TargetUrls) -> None:
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("UPDATE new_things SET body = 'other' WHERE id = 7")
        conn.execute("DELETE FROM new_things WHERE id = 9")


def test_clean_sides_answer_with_0_and_one_object(copied: Scene, run_manage: RunManage) -> None:
    code, out, _ = verify(run_manage, copied, "--json", "--digests")
    assert code == 0
    body: dict[str, Any] = json.loads(out)
    assert (body["clean"], body["kind"], body["source_rows"], body["digests"]) == (True, "full", 30, True)
    assert (body["fault"], body["buckets"], body["run"]) == ("", 1, copied.run_id)
    assert VerificationReport.objects.get().clean
    assert AuditEvent.objects.filter(action="verification.request").count() == 1


def test_differences_answer_with_1_and_are_shown_with_key_column_old_and_new(
    copied: Scene, run_manage: RunManage, target: TargetUrls
) -> None:
    damage(target)
    code, out, err = verify(run_manage, copied)
    assert code == 1
    assert "1 missing, 1 different rows" in err
    row = next(line for line in out.splitlines() if line.startswith("different"))
    assert row.split() == ["different", "7", "body", "body", "7", "other"]
    code, out, _ = verify(run_manage, copied, "--touched", "--json")
    assert (code, json.loads(out)["kind"]) == (1, "touched")


@pytest.mark.parametrize(
    ("words", "role", "said"),
    [
        ((), Role.AUDITOR, "for the role"),
        (("--touched", "--digests"), Role.DBA, "goes with a full pass"),
        (("--touched", "--full"), Role.DBA, "not allowed with"),
    ],
)
def test_what_may_not_be_asked_answers_with_2(
    copied: Scene, run_manage: RunManage, words: tuple[str, ...], role: Role, said: str
) -> None:
    code, out, err = verify(run_manage, copied, *words, role=role)
    assert (code, out) == (2, "")
    assert said in err
    assert not VerificationReport.objects.exists()


def test_a_run_before_its_copy_and_an_unknown_one_are_refused_with_2(
    run_manage: RunManage, target: TargetUrls
) -> None:
    scene = panel.started(2)
    code, _, err = verify(run_manage, scene)
    assert code == 2
    assert "between the end of phase 4" in err
    done = run_manage("verify", "4711", "--as", NAMES[Role.DBA])
    assert done.returncode == 2
    assert "There is no run 4711" in done.stderr


def test_tables_that_are_not_there_answer_with_2(run_manage: RunManage, target: TargetUrls) -> None:
    make_people()
    scene = Scene.at_phase(5)
    code, _, err = verify(run_manage, scene)
    assert code == 2
    assert "Nothing could be said: there is no table public.old_things" in err
