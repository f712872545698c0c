"""A server as a process: start, wait until it answers, crash, stop, and clean up after a dead owner."""

from __future__ import annotations

import abc
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil

from controlpanel import embedded_guard, embedded_ports
from controlpanel.embedded_errors import EmbeddedError, ServerFailedError
from controlpanel.embedded_place import Place

START_SECONDS = 60.0
PORT_TRIES = 5
LOG_KEPT_BYTES = 10_000_000
LOG_TAIL_LINES = 20


class Server(abc.ABC):
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
                self.port = embedded_ports.port_as_before(remembered)
                remembered.write_text(f"{self.port}\n")
            try:
                self._launch()
                return
            except ServerFailedError:
                # Another program may have taken the port between our look and the server's.
                if attempt == PORT_TRIES or embedded_ports.port_is_free(self.port):
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
                cls.end(process)
        pid_file.unlink()

    @classmethod
    def end(cls, process: psutil.Process) -> None:
        """Stop a server that is no child of ours, with force after a while; returns when it is gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for number, patience in cls.stop_signals:
                process.send_signal(number)
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(patience)
                    return
            _kill_tree(process)

    # -- what differs between servers

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make what the server needs on disk."""

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Program and arguments; no secret among them, since everybody sees them."""

    def config(self) -> Path | None:
        """File that the server reads from its standard input."""
        return None

    @abc.abstractmethod
    def answers(self) -> bool:
        """Whether the server accepts a connection with its password."""

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
        where = f"{embedded_ports.HOST}:{self.port}, files in {self.place.home}"
        return f"{self.name} {what} ({where}).\n{_tail(self.log)}"


def _pid_file(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.pid.json"


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
