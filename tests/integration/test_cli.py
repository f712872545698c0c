"""``manage.py run`` as processes of their own, on real servers: the web's rules, in a terminal."""

from __future__ import annotations

import json
import os
import pty
import pwd
import subprocess
import sys
from typing import Any

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import AuditEvent, LogLine, Run
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.services import evidence
from tests import runs as tables
from tests.conftest import RunManage
from tests.control import NAMES, PASSWORD, Scene, control_plan, make_people, make_person
from tests.integration import panel
from tests.plans import assert_step
from tests.processes import CHECKOUT, Processes

SHELL_USER = pwd.getpwuid(os.getuid()).pw_name
BROKEN = assert_step("broken", "SELECT false AS ok, 'three rows differ' AS message")
Finished = subprocess.CompletedProcess[str]


class Cli:
    """Runs ``manage.py run`` as one of the people."""

    def __init__(self, run_manage: RunManage) -> None:
        self._run_manage = run_manage

    def __call__(self, role: Role | str, *words: str | int, stdin: str = "", **env: str) -> Finished:
        name = NAMES[role] if isinstance(role, Role) else role
        return self._run_manage("run", *map(str, words), "--as", name, stdin=stdin, env=env)

    def done(self, role: Role | str, *words: str | int, stdin: str = "") -> dict[str, Any]:
        """What must succeed; its one JSON object."""
        finished = self(role, *words, "--json", stdin=stdin)
        assert finished.returncode == 0, finished.stderr
        body: dict[str, Any] = json.loads(finished.stdout)
        return body

    def refused(self, role: Role | str, *words: str | int, stdin: str = "", **env: str) -> str:
        """What must be refused: exit code 1, the reason on stderr, nothing on stdout."""
        finished = self(role, *words, stdin=stdin, **env)
        assert finished.returncode == 1, finished.stdout + finished.stderr
        assert finished.stdout == ""
        assert "Traceback" not in finished.stderr
        return finished.stderr


@pytest.fixture
def cli(run_manage: RunManage) -> Cli:
    return Cli(run_manage)


def password(*lines: str) -> str:
    return "".join(f"{line}\n" for line in (*lines, PASSWORD))


def on_real_target(plan: Plan, target: TargetUrls) -> Scene:
    """A run whose phase 2 is next, approved for the target as it really is."""
    tables.make_tables(target.runner_url)
    scene = Scene.submitted(plan)
    found = evidence.collect(scene.run, plan)
    scene.sign(Role.APPROVER, evidence=found)
    scene.start(1, evidence=found)
    scene.finish(1)
    scene.sign_phase(1)
    return scene


def last_event(action: str) -> AuditEvent:
    return AuditEvent.objects.filter(action=action).order_by("-seq")[0]


def test_a_run_is_written_submitted_sent_back_withdrawn_and_cancelled(cli: Cli) -> None:
    make_people()
    new = ("new", "--runbook", "dxy_1m", "--target", "bars", "--data-decision", "delete")
    run = cli.done(Role.DBA, *new)
    assert (run["state"], run["author"], run["data_decision"]) == ("draft", "dora", "delete")
    assert cli.done(Role.DBA, "submit", run["id"])["state"] == "awaiting_approval"
    assert "needs a comment" in cli.refused(Role.APPROVER, "send-back", run["id"])
    assert cli.done(Role.APPROVER, "send-back", run["id"], "--comment", "say more")["state"] == "draft"
    assert last_event("run.send_back").detail["comment"] == "say more"
    assert "for the author" in cli.refused(Role.APPROVER, "submit", run["id"])
    cli.done(Role.DBA, "submit", run["id"])
    assert cli.done(Role.DBA, "withdraw", run["id"])["state"] == "draft"
    assert cli.done(Role.DBA, "cancel", run["id"], "--comment", "not now")["state"] == "cancelled"


def test_a_run_that_cannot_be_written_changes_nothing(cli: Cli) -> None:
    make_people()
    new = ("new", "--data-decision", "keep")
    assert "no target 'moon'" in cli.refused(Role.DBA, *new, "--runbook", "dxy_1m", "--target", "moon")
    assert "dxy_9m" in cli.refused(Role.DBA, *new, "--runbook", "dxy_9m", "--target", "bars")
    wrong_role = cli.refused(Role.AUDITOR, *new, "--runbook", "dxy_1m", "--target", "bars")
    assert "udo is auditor" in wrong_role
    unknown = (*new, "--runbook", "dxy_1m", "--target", "bars", "--param", "nonsense=1")
    assert "nonsense" in cli.refused(Role.DBA, *unknown)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fly", "1"),
        ("new", "--runbook", "dxy_1m"),
        ("start", "first"),
        ("start", "1", "--phase", "10"),
        ("sign", "1", "--role", "king"),
        ("new", "--runbook", "a", "--target", "b", "--data-decision", "perhaps"),
        ("new", "--runbook", "a", "--target", "b", "--data-decision", "keep", "--param", "novalue"),
    ],
)
def test_wrong_usage_ends_with_2(run_manage: RunManage, words: tuple[str, ...]) -> None:
    finished = run_manage("run", *words)
    assert finished.returncode == 2, finished.stderr
    assert finished.stdout == ""
    assert "usage:" in finished.stderr


def test_signing_the_plan_binds_it_to_person_password_and_digest(cli: Cli, target: TargetUrls) -> None:
    tables.make_tables(target.runner_url)
    scene = Scene.submitted(control_plan())
    run = scene.run_id
    assert "for the role approver" in cli.refused(Role.DBA, "sign", run)
    assert "has changed since" in cli.refused(
        Role.APPROVER, "sign", run, "--digest", "0" * 64, stdin=password()
    )
    assert "password is not right" in cli.refused(Role.APPROVER, "sign", run, stdin="wrong\n")
    assert "nothing was typed" in cli.refused(Role.APPROVER, "sign", run)
    assert scene.run.state == "awaiting_approval"
    signed = cli.done(Role.APPROVER, "sign", run, "--comment", "read", stdin=password())
    assert signed["state"] == "approved"
    event = last_event("sign_off.approve")
    assert (event.actor, event.actor_how, event.detail["comment"]) == ("ada", "demo", "read")
    assert "not up for approval" in cli.refused(Role.APPROVER, "sign", run, stdin=password())


def test_the_author_of_a_plan_never_approves_it_even_as_approver(cli: Cli, target: TargetUrls) -> None:
    tables.make_tables(target.runner_url)
    scene = Scene.submitted(control_plan())
    make_person("dora", Role.DBA, Role.APPROVER)
    assert "never approves" in cli.refused(Role.DBA, "sign", scene.run_id, stdin=password())
    assert last_event("refused.sign").detail["rule"] == "S2"


def test_as_is_refused_outside_the_demo_and_a_mapped_shell_user_is_known(
    cli: Cli, run_manage: RunManage
) -> None:
    scene = Scene.at_phase(2, control_plan())
    production = {"PHASEGATE_DEMO": "0"}
    assert "--as dora is refused" in cli.refused(Role.DBA, "hold", scene.run_id, **production)
    unmapped = run_manage("run", "list", env=production)
    assert unmapped.returncode == 1
    assert "is not mapped" in unmapped.stderr
    mapped = production | {"PHASEGATE_SHELL_USERS": f"{SHELL_USER}=olga"}
    assert "--as dora is refused" in cli.refused(Role.DBA, "hold", scene.run_id, **mapped)
    held = run_manage("run", "hold", str(scene.run_id), "--comment", "lag", env=mapped)
    assert held.returncode == 0, held.stderr
    event = last_event("run.hold")
    assert (event.actor, event.actor_how) == ("olga", f"shell:{SHELL_USER}")


def test_reading_is_for_people_with_a_role(cli: Cli, run_manage: RunManage) -> None:
    scene = Scene.at_phase(2, control_plan())
    LogLine.objects.create(run=scene.run, phase=1, step="holds", level="info", text="as it should be")
    make_person("nina")
    for words in (("list",), ("show", scene.run_id), ("logs", scene.run_id)):
        assert "no role" in cli.refused("nina", *words)
        assert "There is no active account" in cli.refused("nobody", *words)
    listed = cli.done(Role.AUDITOR, "list")
    assert [row["id"] for row in listed["runs"]] == [scene.run_id]
    assert cli.done(Role.AUDITOR, "show")["name"] == scene.run.name
    shown = cli.done(Role.AUDITOR, "show", scene.run_id)
    assert [phase["state"] for phase in shown["phases"]][:3] == ["done", "ready", "pending"]
    lines = cli.done(Role.AUDITOR, "logs", scene.run_id)["lines"]
    assert lines[-1]["text"] == "holds: as it should be"
    assert "as it should be" in cli(Role.AUDITOR, "logs", scene.run_id).stdout
    assert scene.run.name in cli(Role.AUDITOR, "list").stdout
    gone = cli(Role.AUDITOR, "show", 4711, "--json")
    assert gone.returncode == 1
    assert json.loads(gone.stdout)["error"] == "There is no run 4711."
    assert "There is no run 4711." in gone.stderr


def test_starts_in_order_by_the_owner_and_waits_until_the_phase_settles(
    cli: Cli, processes: Processes, target: TargetUrls
) -> None:
    scene = on_real_target(control_plan({3: [BROKEN]}), target)
    processes.start_worker()  # only now: it would take phase 1 away from the scene
    run = scene.run_id
    assert "Phases go in order" in cli.refused(Role.DBA, "start", run, "--phase", 4)
    assert "for the role dba" in cli.refused(Role.ENGINEER, "start", run, "--phase", 2)
    body = cli.done(Role.DBA, "start", run, "--wait")
    assert body["phases"][1]["state"] == "awaiting_sign_off"
    assert "started already" in cli.refused(Role.DBA, "start", run, "--phase", 2)
    cli.done(Role.DBA, "sign", run, "--phase", 2, stdin=password())
    failed = cli(Role.DBA, "start", run, "--phase", 3, "--wait", "--json")
    assert failed.returncode == 1
    assert "three rows differ" in failed.stderr, failed.stderr
    assert json.loads(failed.stdout)["phases"][2]["state"] == "failed"
    assert "Phase 2 has not failed" in cli.refused(Role.DBA, "retry", run, "--phase", 2)
    again = cli(Role.DBA, "retry", run, "--wait")
    assert again.returncode == 1
    assert "three rows differ" in again.stderr
    assert scene.phase(3).attempt == 2


def test_two_starts_at_once_start_once(project_env: dict[str, str]) -> None:
    scene = Scene.at_phase(2, control_plan())
    command = [sys.executable, "manage.py", "run", "start", str(scene.run_id), "--phase", "2", "--as", "dora"]
    both = [
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=project_env,
            stderr=subprocess.PIPE,
            text=True,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert sum("started already" in text for text in said) == 1
    assert AuditEvent.objects.filter(action="phase.start", object__startswith="phase 2 ").count() == 1


def test_pause_resume_hold_and_retry(cli: Cli) -> None:
    scene = panel.started(2)
    run = scene.run_id
    assert "phase 2 is" in cli.refused(Role.DBA, "pause", run, "--phase", 3)
    assert "for the role" in cli.refused(Role.AUDITOR, "pause", run)
    cli.done(Role.DBA, "pause", run, "--now", "--wait")
    assert scene.phase(2).state == "paused"
    assert cli.done(Role.DBA, "resume", run)["current"]["state"] == "running"
    assert "Say why" in cli.refused(Role.ONCALL, "hold", run)
    assert cli.done(Role.ONCALL, "hold", run, "--comment", "lag 40 s")["hold_reason"] == "lag 40 s"
    assert "on hold" in cli.refused(Role.DBA, "start", run, "--phase", 3)
    assert cli.done(Role.ONCALL, "resume", run, "--comment", "gone")["state"] == "in_progress"
    assert "nothing to retry" in cli.refused(Role.DBA, "retry", run)
    assert "between the end of phase 4" in cli.refused(Role.DBA, "verify", run)
    cli.refused(Role.APPROVER, "seal", run)
    assert scene.run.state == "in_progress"


def test_readiness_items_and_confirm_steps_are_ticked_with_evidence(cli: Cli) -> None:
    scene = panel.draft()
    assert "for the role dba" in cli.refused(Role.ENGINEER, "tick", scene.run_id, "space")
    ticked = cli.done(Role.DBA, "tick", scene.run_id, "space", "--evidence", "df -h")
    assert [(r["key"], r["ticked"], r["by"]) for r in ticked["readiness"]] == [("space", True, "dora")]
    assert "no readiness item" in cli.refused(Role.DBA, "tick", scene.run_id, "spice")
    asking = panel.asking()
    assert "for the role engineer" in cli.refused(Role.DBA, "tick", asking.run_id, "asked")
    cli.done(Role.ENGINEER, "tick", asking.run_id, "asked", "--evidence", "build 4711")
    event = last_event("step.confirm")
    assert (event.actor, event.detail["evidence"]) == ("emil", "build 4711")


def test_a_rollback_is_previewed_and_wants_name_and_password(
    cli: Cli, processes: Processes, target: TargetUrls
) -> None:
    scene = on_real_target(control_plan(), target)
    processes.start_worker()  # only now: it would take phase 1 away from the scene
    run, name = scene.run_id, scene.run.name
    cli.done(Role.DBA, "start", run, "--wait")
    assert set(cli.done(Role.ONCALL, "rollback", run, "--preview")) >= {"items", "rows", "seconds", "keeps"}
    assert scene.run.state == "in_progress"
    assert "for the role" in cli.refused(Role.ENGINEER, "rollback", run, stdin=password(name))
    assert "type the run's name" in cli.refused(Role.ONCALL, "rollback", run, stdin=password("small-0"))
    assert "password is not right" in cli.refused(Role.ONCALL, "rollback", run, stdin=f"{name}\nwrong\n")
    assert scene.run.state == "in_progress"
    back = cli.done(Role.ONCALL, "rollback", run, "--comment", "wrong", "--wait", stdin=password(name))
    assert back["state"] == "rolled_back"
    assert [phase["state"] for phase in back["phases"]][:2] == ["undone", "undone"]
    assert last_event("run.roll_back").detail["reason"] == "wrong"


def test_at_a_terminal_the_password_is_asked_for_and_not_shown(project_env: dict[str, str]) -> None:
    scene = panel.to_sign()
    command = ["manage.py", "run", "sign", str(scene.run_id), "--phase", "2", "--as", "dora"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(CHECKOUT)
        os.execve(sys.executable, [sys.executable, *command], project_env)  # noqa: S606 - no shell wanted
    shown = _until(terminal, "Password of dora:")
    os.write(terminal, f"{PASSWORD}\n".encode())
    shown += _until(terminal, None)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert PASSWORD not in shown
    assert scene.phase(2).state == "done"


def _until(terminal: int, words: str | None) -> str:
    """What a terminal shows, up to some words or its end."""
    shown = ""
    while words is None or words not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # a closed terminal reads as an error on Linux
            break
        if not part:
            break
        shown += part.decode(errors="replace")
    return shown


def test_nothing_that_was_typed_is_in_the_trail(cli: Cli) -> None:
    scene = panel.to_sign()
    cli.done(Role.DBA, "sign", scene.run_id, "--phase", 2, stdin=password())
    cli.refused(Role.DBA, "sign", scene.run_id, "--phase", 3, stdin=password())
    assert not any(PASSWORD in json.dumps(event.detail) for event in AuditEvent.objects.all())


def test_the_watch_is_handed_over_in_a_terminal(cli: Cli) -> None:
    scene = panel.started(2)
    make_person("oscar", Role.ONCALL)
    assert "the watch is with olga" in cli(Role.AUDITOR, "handover", scene.run_id).stdout
    assert "is for the role" in cli.refused(Role.AUDITOR, "handover", scene.run_id, "--note", "hm")
    cli.done(Role.DBA, "handover", scene.run_id, "--note", "the feed is slow")
    card = cli.done(Role.ONCALL, "handover", scene.run_id, "--to", "oscar")
    assert (card["open"]["taker"], card["notes"][0]["text"]) == ("oscar", "the feed is slow")
    assert "only the named person" in cli.refused(Role.DBA, "handover", scene.run_id, "--take", 1)
    assert cli.done("oscar", "handover", scene.run_id, "--take", 1)["watcher"] == "oscar"
    assert "no active account" in cli.refused(Role.DBA, "handover", scene.run_id, "--to", "nobody")
