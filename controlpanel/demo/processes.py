"""The demo's own processes: web, worker, beat, live feed, aggregator. They all end with the demo."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

PR_SET_PDEATHSIG = 1
RESTARTS = 3
RESTART_WITHIN_S = 60.0
ROOT = Path(__file__).resolve().parent.parent.parent


class ProcessDiedError(RuntimeError):
    """A process of the demo ended by itself."""


def _die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the demo dies (Linux): a killed demo leaves no feed behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


@dataclass
class Processes:
    """Named child processes, each with its log file in ``log_dir``. Leaving the block ends all of them."""

    log_dir: Path
    environment: Mapping[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    arguments: dict[str, tuple[str, ...]] = field(default_factory=dict)
    restarts: dict[str, list[float]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(*self.running)

    def start(self, name: str, *arguments: str) -> None:
        """Start ``python arguments`` under ``name``."""
        self.arguments[name] = arguments
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends the others in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the demo has no threads
            )

    def manage(self, name: str, *arguments: str) -> None:
        """Start ``manage.py arguments`` under ``name``."""
        self.start(name, str(ROOT / "manage.py"), *arguments)

    def restart(self, name: str) -> None:
        """Start a process that ended by itself again. Raises ProcessDiedError when it keeps dying."""
        recent = [at for at in self.restarts.get(name, []) if time.monotonic() - at < RESTART_WITHIN_S]
        if len(recent) >= RESTARTS:
            raise ProcessDiedError(f"{name} keeps ending:\n{self.tail(name)}")
        self.restarts[name] = [*recent, time.monotonic()]
        self.start(name, *self.arguments[name])

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.log_dir / f"{name}.log"

    def check(self) -> None:
        """Raise ProcessDiedError, with the end of its log, if a process has ended by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise ProcessDiedError(
                    f"{name} ended with exit code {process.returncode}:\n{self.tail(name)}"
                )

    def dead(self) -> Sequence[str]:
        """Names of processes that have ended by themselves."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a process's log."""
        path = self.log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.is_file() else ""

    def stop(self, *names: str, patience: float = 15.0) -> None:
        """SIGTERM to each, last started first; SIGKILL to what is still there after ``patience`` seconds."""
        chosen = [self.running.pop(name) for name in reversed(list(self.running)) if name in names]
        for process in chosen:
            if process.poll() is None:
                process.terminate()
        for process in chosen:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
