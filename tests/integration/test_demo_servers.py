"""The demo's servers: found by other commands while it runs, forgotten when it ends, never somebody's own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controlpanel import demo_servers, embedded, env
from tests.processes import CHECKOUT


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for the demo's data; the environment names nothing, and is put back afterwards."""
    path = tmp_path / "data"
    saved = dict(os.environ)
    for name in [name for name in os.environ if demo_servers._ours(name)]:
        del os.environ[name]
    os.environ["PHASEGATE_DATA_DIR"] = str(path)
    yield path
    os.environ.clear()
    os.environ.update(saved)
    embedded.forget(path)


def test_other_commands_have_no_servers(data_dir: Path) -> None:
    before = dict(os.environ)
    for argv in (["manage.py", "migrate"], ["manage.py", "run", "list"]):
        with demo_servers.for_command(argv):
            assert dict(os.environ) == before
    assert not data_dir.exists()


@pytest.mark.parametrize(
    "words", [[], ["help"], ["demo", "--help"], ["demo", "run", "--help"], ["migrate", "-h"]]
)
def test_help_needs_no_servers_and_no_environment(data_dir: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "PHASEGATE_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout or "Type 'manage.py help" in done.stdout
    assert not data_dir.exists()


def test_while_the_demo_runs_its_servers_are_found_and_afterwards_not(data_dir: Path) -> None:
    noted = data_dir / "env"
    with demo_servers.for_command(["manage.py", "demo"]):
        assert stat.S_IMODE(noted.stat().st_mode) == 0o600
        found = env.read({}, data_dir=data_dir)
        assert found == env.read(os.environ)
        assert found.demo
        assert sorted(found.targets) == sorted(found.scratch) == sorted(found.bars_app) == ["bars", "staging"]
        for url in (
            found.database_url,
            *found.targets.values(),
            *found.scratch.values(),
            *found.bars_app.values(),
        ):
            psycopg.connect(url).close()
    assert not noted.exists()


def test_the_second_start_goes_on_with_the_same_databases(data_dir: Path) -> None:
    with demo_servers.for_command(["manage.py", "demo"]), _bars() as conn:
        conn.execute("CREATE TABLE kept (n int)")
    for name in [name for name in os.environ if demo_servers._ours(name)]:
        del os.environ[name]
    with demo_servers.for_command(["manage.py", "demo"]), _bars() as conn:
        assert conn.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def _bars() -> psycopg.Connection:
    return psycopg.connect(env.read(os.environ).bars_app["bars"])


def test_what_the_user_has_set_is_used_instead(data_dir: Path, cluster: embedded.Cluster) -> None:
    os.environ["CELERY_BROKER_URL"] = cluster.broker_url
    os.environ["TARGET_STAGING_URL"] = "postgresql://runner:x@elsewhere/staging"
    with demo_servers.for_command(["manage.py", "demo"]):
        found = env.read(os.environ)
        assert found.broker_url == cluster.broker_url
        assert found.targets["staging"] == "postgresql://runner:x@elsewhere/staging"
        assert "127.0.0.1" in found.targets["bars"]
        assert env.read({}, data_dir=data_dir).targets == found.targets
        assert not (data_dir / "valkey.port").exists()


def test_the_headless_demo_never_uses_given_databases_and_leaves_nothing(data_dir: Path) -> None:
    theirs = "postgresql://somebody:x@production/important"
    for name in (
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
        "TARGET_BARS_URL",
        "TARGET_OTHER_URL",
        "SCRATCH_BARS_URL",
    ):
        os.environ[name] = theirs
    os.environ["CELERY_BROKER_URL"] = "redis://production"
    with (
        contextlib.suppress(ZeroDivisionError),
        demo_servers.for_command(["manage.py", "demo", "run", "--json"]),
    ):
        used = {name: value for name, value in os.environ.items() if demo_servers._ours(name)}
        assert "production" not in json.dumps(used)
        assert "TARGET_OTHER_URL" not in used
        place = Path(used["BACKUP_DIR"]).parent
        assert place.exists()
        raise ZeroDivisionError  # even when the run fails
    assert not place.exists()
    assert not data_dir.exists()


def test_a_second_demo_on_the_same_data_is_refused_in_one_line(data_dir: Path) -> None:
    with demo_servers.for_command(["manage.py", "demo"]):
        done = subprocess.run(
            [sys.executable, "manage.py", "demo"],
            cwd=CHECKOUT,
            env={"PATH": os.environ["PATH"], "PHASEGATE_DATA_DIR": str(data_dir)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "in use by another running Phasegate" in done.stderr


def test_sigterm_ends_the_demo_like_ctrl_c(data_dir: Path) -> None:
    def ended_by_sigterm() -> None:
        with demo_servers.for_command(["manage.py", "demo"]):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        ended_by_sigterm()
    assert ended.value.code == 143
    assert not (data_dir / "env").exists()
    assert not embedded.owned_by_live_process(data_dir)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_clean_refuses_while_a_demo_runs_and_forgets_afterwards(data_dir: Path) -> None:
    def clean() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "controlpanel.embedded", "forget"],
            cwd=CHECKOUT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    with demo_servers.for_command(["manage.py", "demo"]):
        refused = clean()
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        assert data_dir.exists()
    assert clean().returncode == 0
    assert not data_dir.exists()
