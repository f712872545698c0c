"""Embedded servers: they come up anywhere, keep their data, and never outlive their owner."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from controlpanel import embedded
from tests.processes import CHECKOUT

OWNER = """
import sys, time
from pathlib import Path
from controlpanel import embedded
with embedded.Cluster(Path(sys.argv[1]), fsync=False) as cluster:
    cluster.ensure_target_database("bars")
    print(cluster.superuser_dsn("bars"), cluster.broker_url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory whose every ancestor may be entered by any account."""
    path = Path(tempfile.mkdtemp(prefix="phasegate-embedded-"))
    path.chmod(0o711)
    yield path
    embedded.forget(path)


@pytest.fixture
def owner_process() -> Iterator[Callable[[Path], tuple[subprocess.Popen[str], str, str]]]:
    """Starts a process that owns a cluster on a directory; gives it with the two URLs."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> tuple[subprocess.Popen[str], str, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        dsn, broker = process.stdout.readline().split()
        return process, dsn, broker

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def servers_of(data_dir: Path) -> list[psutil.Process]:
    """Every process whose command line names the directory, guards included."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(data_dir) in command and process.pid != os.getpid() and OWNER not in command:
            found.append(process)
    return found


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=40)
    assert not alive


def test_servers_listen_on_loopback_alone_and_ask_for_passwords(cluster: embedded.Cluster) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in _ports(cluster)
    }
    assert listening == {"127.0.0.1"}
    no_password = cluster.superuser_dsn().replace(f":{_password(cluster.superuser_dsn())}@", "@")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(no_password)
    with psycopg.connect(cluster.superuser_dsn()) as conn:
        rules = conn.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("scram-sha-256",)]
        assert conn.execute("SHOW unix_socket_directories").fetchone() == ("",)


def _ports(cluster: embedded.Cluster) -> set[int]:
    return {int(url.rpartition("@")[2].partition(":")[2].partition("/")[0]) for url in _urls(cluster)}


def _urls(cluster: embedded.Cluster) -> tuple[str, str]:
    return cluster.superuser_dsn(), cluster.broker_url


def _password(url: str) -> str:
    return url.partition("://")[2].partition("@")[0].partition(":")[2]


def test_settings_that_the_engine_relies_on(cluster: embedded.Cluster) -> None:
    with psycopg.connect(cluster.superuser_dsn()) as conn:
        names = [
            "track_functions",
            "max_connections",
            "shared_buffers",
            "max_prepared_transactions",
            "TimeZone",
        ]
        shown = {name: conn.execute(f"SHOW {name}").fetchone() for name in names}
    assert shown == {
        "track_functions": ("all",),
        "max_connections": ("200",),
        "shared_buffers": ("256MB",),
        "max_prepared_transactions": ("10",),
        "TimeZone": ("UTC",),
    }


def test_durability_is_on_unless_a_test_turns_it_off(data_dir: Path) -> None:
    with (
        embedded.Cluster(data_dir, broker=False) as cluster,
        psycopg.connect(cluster.superuser_dsn()) as conn,
    ):
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert conn.execute(f"SHOW {name}").fetchone() == ("on",)


def test_what_was_committed_outlasts_a_crash_of_the_server_even_without_fsync(data_dir: Path) -> None:
    with embedded.Cluster(data_dir, fsync=False, broker=False) as cluster:
        with psycopg.connect(cluster.superuser_dsn(), autocommit=True) as conn:
            conn.execute("CREATE TABLE told (n int)")
            for n in range(50):
                conn.execute("INSERT INTO told VALUES (%s)", [n])
            cluster.crash_postgres()
        cluster.start_postgres()
        with psycopg.connect(cluster.superuser_dsn()) as conn:
            assert conn.execute("SELECT count(*) FROM told").fetchone() == (50,)


def test_passwords_are_on_disk_for_the_owner_alone_and_on_no_command_line(
    cluster: embedded.Cluster,
) -> None:
    secrets_file = cluster.data_dir / "servers.json"
    assert stat.S_IMODE(secrets_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((cluster.data_dir / "valkey.conf").stat().st_mode) == 0o600
    passwords = [_password(url) for url in _urls(cluster)]
    for process in servers_of(cluster.data_dir):
        assert not [password for password in passwords if password in " ".join(process.cmdline())]


def test_as_root_the_servers_run_as_somebody_else(cluster: embedded.Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    owners = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):  # a session of the server that has just ended
            if process.name() in {"postgres", "valkey-server"} and _belongs(process, cluster):
                owners.add(process.uids().real)
    assert owners == {pwd.getpwnam("nobody").pw_uid}


def _belongs(process: psutil.Process, cluster: embedded.Cluster) -> bool:
    return any(str(cluster.data_dir) in " ".join(parent.cmdline()) for parent in process.parents())


def test_roles_have_the_rights_that_the_panel_needs_and_no_more(cluster: embedded.Cluster) -> None:
    cluster.databases.ensure_target("rights")
    cluster.databases.ensure_control("rights_control")
    try:
        with psycopg.connect(cluster.superuser_dsn()) as conn:
            rows = conn.execute(
                "SELECT rolname FROM pg_roles WHERE rolname ~ '^(bars|phasegate)_'"
                " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)"
            ).fetchall()
            assert rows == []
            rights = conn.execute(
                "SELECT pg_has_role('phasegate_runner', 'bars_owner', 'USAGE'),"
                " pg_has_role('bars_app', 'bars_owner', 'USAGE'),"
                " pg_has_role('phasegate_runner', 'pg_read_all_stats', 'USAGE'),"
                " pg_has_role('phasegate_runner', 'pg_signal_backend', 'MEMBER'),"
                " has_database_privilege('phasegate_runner', 'rights', 'CREATE'),"
                " has_database_privilege('phasegate_runner', 'rights_control', 'CONNECT'),"
                " has_database_privilege('phasegate_app', 'rights', 'CONNECT')"
            ).fetchone()
            assert rights == (True, True, True, False, True, False, False)
    finally:
        cluster.databases.drop("rights")
        cluster.databases.drop("rights_control")


def test_data_passwords_and_ports_stay_over_a_restart(data_dir: Path) -> None:
    with embedded.Cluster(data_dir, fsync=False) as cluster:
        urls = cluster.ensure_target_database("bars")
        with psycopg.connect(urls.owner_url) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 1 AS n")
        before = cluster.environment()
    with embedded.Cluster(data_dir, fsync=False) as cluster:
        cluster.ensure_target_database("bars")
        assert cluster.environment() == before
        with psycopg.connect(urls.owner_url) as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (1,)


def test_a_crashed_server_comes_back_on_its_port_with_what_was_committed(data_dir: Path) -> None:
    with embedded.Cluster(data_dir) as cluster:
        dsn, broker = _urls(cluster)
        with psycopg.connect(dsn) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 1 AS n")
        cluster.crash_postgres()
        cluster.crash_valkey()
        assert not cluster.alive()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(dsn)
        cluster.start_postgres()
        cluster.start_valkey()
        assert _urls(cluster) == (dsn, broker)
        with psycopg.connect(dsn) as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (1,)


def test_servers_stop_when_their_owner_is_killed(
    data_dir: Path, owner_process: Callable[[Path], tuple[subprocess.Popen[str], str, str]]
) -> None:
    process, dsn, _ = owner_process(data_dir)
    children = psutil.Process(process.pid).children(recursive=True)
    assert {"postgres", "valkey-server"} <= {child.name() for child in children}
    with psycopg.connect(dsn):  # an open session must not keep the server alive
        process.kill()
        wait_until_gone(children)
    with embedded.Cluster(data_dir, fsync=False) as cluster:
        assert cluster.alive()


def test_servers_stop_when_their_guards_are_killed(
    data_dir: Path, owner_process: Callable[[Path], tuple[subprocess.Popen[str], str, str]]
) -> None:
    process, _, _ = owner_process(data_dir)
    guards = psutil.Process(process.pid).children()
    servers = [server for guard in guards for server in guard.children(recursive=True)]
    assert servers
    for guard in guards:
        guard.kill()
    wait_until_gone(servers)


@pytest.mark.parametrize("noted", [True, False])
def test_the_next_start_ends_servers_that_outlived_owner_and_guards(
    noted: bool, data_dir: Path, owner_process: Callable[[Path], tuple[subprocess.Popen[str], str, str]]
) -> None:
    process, _, _ = owner_process(data_dir)
    owner = psutil.Process(process.pid)
    guards = owner.children()
    servers = [server for guard in guards for server in guard.children()]
    # Frozen, a server does not see the stop signals that its dying owner and guard bring about.
    for server in servers:
        server.send_signal(signal.SIGSTOP)
    for dying in (owner, *guards):
        dying.kill()
    psutil.wait_procs([owner, *guards], timeout=10)
    assert all(server.is_running() for server in servers)
    if not noted:
        (data_dir / "postgres.pid.json").unlink()
    # Thawed only after the next start has begun: it must wait for them, or two servers share the files.
    thaw = threading.Timer(1.5, lambda: [server.send_signal(signal.SIGCONT) for server in servers])
    thaw.start()
    with embedded.Cluster(data_dir, fsync=False) as cluster:
        assert cluster.alive()
        assert not any(server.is_running() for server in servers)
    thaw.join()


def test_a_busy_directory_is_refused_with_who_holds_it(data_dir: Path) -> None:
    with embedded.Cluster(data_dir, fsync=False, broker=False):
        with pytest.raises(embedded.DirectoryBusyError) as refused:
            embedded.Cluster(data_dir).__enter__()
        with pytest.raises(embedded.DirectoryBusyError):
            embedded.forget(data_dir)
    assert str(data_dir) in str(refused.value)
    assert f"pid {os.getpid()}" in str(refused.value)
    assert "PHASEGATE_DATA_DIR" in str(refused.value)


def test_a_stale_pid_file_does_not_keep_the_server_from_starting(data_dir: Path) -> None:
    with embedded.Cluster(data_dir, fsync=False, broker=False):
        pass
    location = (
        Path((data_dir / "postgres-location.txt").read_text().strip()) if os.geteuid() == 0 else data_dir
    )
    # The number of a live process that is no PostgreSQL: this one.
    (location / "pgdata" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{location}/pgdata\n1\n5432\n\n127.0.0.1\n"
    )
    with embedded.Cluster(data_dir, fsync=False, broker=False) as cluster:
        assert cluster.alive()


def test_data_of_another_postgresql_version_is_refused(data_dir: Path) -> None:
    with embedded.Cluster(data_dir, fsync=False, broker=False):
        pass
    version = next(data_dir.glob("pgdata/PG_VERSION"))
    version.write_text("9\n")
    with pytest.raises(embedded.EmbeddedError, match="made by PostgreSQL 9"):
        embedded.Cluster(data_dir, fsync=False, broker=False).__enter__()
    assert not embedded.owned_by_live_process(data_dir)


def test_a_server_that_cannot_start_says_why_and_gives_the_directory_free(data_dir: Path) -> None:
    with embedded.Cluster(data_dir, fsync=False, broker=False):
        pass
    config = next(data_dir.glob("pgdata/postgresql.conf"))
    config.write_text(config.read_text() + "\nshared_preload_libraries = 'no_such_library'\n")
    with pytest.raises(embedded.ServerFailedError, match="no_such_library"):
        embedded.Cluster(data_dir, fsync=False, broker=False).__enter__()
    assert not embedded.owned_by_live_process(data_dir)
    assert not servers_of(data_dir)


def test_a_failing_initdb_is_reported_in_its_own_words(data_dir: Path) -> None:
    if os.geteuid() != 0 or not Path("/dev/full").exists():
        pytest.skip("needs root to mount a full disk")
    mounted = data_dir / "small"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=711", "none", mounted], check=False)
    if done.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(embedded.ServerFailedError, match="No space left on device"):
            embedded.Cluster(mounted, broker=False).__enter__()
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_works_in_a_deep_directory_with_spaces_and_quotes(data_dir: Path) -> None:
    deep = data_dir.joinpath(*(["a rather long directory's name " + "x" * 20] * 4))
    deep.mkdir(parents=True)
    assert len(str(deep)) > 200
    with embedded.Cluster(deep, fsync=False) as cluster:
        assert cluster.alive()
        with redis.Redis.from_url(cluster.broker_url) as client:
            assert client.ping()
    embedded.forget(deep)


def test_root_works_from_a_directory_that_no_other_account_can_enter(data_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    with embedded.Cluster(closed / "data", fsync=False) as cluster:
        location = Path((closed / "data" / "postgres-location.txt").read_text().strip())
        assert location.is_relative_to("/var/tmp")
        assert cluster.alive()
    embedded.forget(closed / "data")
    assert not location.exists()


def test_an_ordinary_user_runs_the_servers_as_themselves(data_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else; any other run of this file shows it")
    nobody = pwd.getpwnam("nobody")
    home = data_dir / "theirs"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    with _interpreter_for_all(data_dir / "python") as python:
        process = subprocess.Popen(
            [python, "-c", OWNER, str(home / "data")],
            cwd=CHECKOUT,
            env={
                "PYTHONPATH": packages,
                "PYTHONDONTWRITEBYTECODE": "1",
                "LD_LIBRARY_PATH": str(python.parent.parent / "lib"),
            },
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            dsn = process.stdout.readline().split()[0].decode()
            psycopg.connect(dsn).close()
            assert (home / "data" / "pgdata").stat().st_uid == nobody.pw_uid
        finally:
            process.terminate()
            process.communicate()
            _wait_for_release(home / "data")


@contextlib.contextmanager
def _interpreter_for_all(mount_point: Path) -> Iterator[Path]:
    """This interpreter at a path that every account may enter, even where it was installed under /root."""
    mount_point.mkdir()
    done = subprocess.run(["mount", "--bind", sys.base_prefix, mount_point], check=False)
    if done.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield mount_point / "bin" / f"python3.{sys.version_info.minor}"
    finally:
        subprocess.run(["umount", "--lazy", mount_point], check=True)


def _wait_for_release(data_dir: Path) -> None:
    deadline = time.monotonic() + 30
    while servers_of(data_dir):
        assert time.monotonic() < deadline
        time.sleep(0.1)
