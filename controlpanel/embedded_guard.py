"""Runs one server and stops it when the process that wanted it is gone.

Started by :mod:`controlpanel.embedded_process` as ``python -I -S embedded_guard.py '{json}'`` with a pipe as
standard input. It uses the standard library alone, so that it starts quickly and from any directory. The
server stops when

* the pipe closes: the owner asked for it, or the owner died, SIGKILL included;
* the guard itself is asked to end by SIGTERM, SIGINT or SIGHUP;
* the guard is killed: the kernel then sends the stop signal to the server (``PR_SET_PDEATHSIG``, Linux only).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
OWNER_POLL_SECONDS = 2.0


def become_server(spec: dict[str, Any], guard_pid: int) -> NoReturn:
    """Turn the forked child into the server: own session, given user, output to the log file."""
    os.setsid()
    log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    source = os.open(spec["stdin"] or os.devnull, os.O_RDONLY)
    os.dup2(source, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if spec["uid"] is not None:
        os.setgroups([])
        os.setgid(spec["gid"])
        os.setuid(spec["uid"])
    os.umask(0o077)
    os.chdir(spec["cwd"])
    if sys.platform == "linux":
        # After the change of user: the kernel forgets the setting when credentials change.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, spec["stop_signals"][0][0], 0, 0, 0)
    if os.getppid() != guard_pid:  # the guard died between fork and prctl
        os._exit(1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.execve(spec["command"][0], spec["command"], spec["env"])  # noqa: S606 - no shell is the point


def ended(pid: int) -> int | None:
    """Exit status of the server, or None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done == pid else None


def stop(pid: int, stop_signals: list[list[float]]) -> int:
    """Send each signal in turn, waiting its number of seconds, until the server has ended."""
    for number, patience in stop_signals:
        os.kill(pid, int(number))
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            status = ended(pid)
            if status is not None:
                return status
            time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> int:
    """Start the server, print its pid on one line, wait for the end of server or owner."""
    spec = json.loads(sys.argv[1])
    owner, guard_pid = os.getppid(), os.getpid()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: asked.append(received))
    signal.signal(signal.SIGCHLD, lambda _received, _frame: None)
    pid = os.fork()
    if pid == 0:
        try:
            become_server(spec, guard_pid)
        finally:  # only reached when exec failed; the parent's code must not run twice
            sys.excepthook(*sys.exc_info())
            os._exit(127)
    sys.stdout.write(f"{pid}\n")
    sys.stdout.flush()
    while True:
        status = ended(pid)
        if status is not None:
            return 0 if status == 0 else 1
        ready, _, _ = select.select([0, wake_read], [], [], OWNER_POLL_SECONDS)
        if wake_read in ready:
            os.read(wake_read, 512)
        owner_gone = (0 in ready and not os.read(0, 512)) or os.getppid() != owner
        if owner_gone or asked:
            stop(pid, spec["stop_signals"])
            return 0


if __name__ == "__main__":
    sys.exit(main())
