"""``make demo``: the whole panel for a person at a terminal; Ctrl-C stops it, a second start goes on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from controlpanel import demo_servers, embedded
from tests.processes import CHECKOUT

PATIENCE_S = 300.0
ADDRESS = re.compile(r"Phasegate runs at\s+(http://127\.0\.0\.1:(\d+)/)")


class Demo:
    """One start of the demo on a data directory, with what it prints."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.data_dir = data_dir
        self.env = {n: v for n, v in os.environ.items() if not demo_servers._ours(n)}
        del self.env["DJANGO_SETTINGS_MODULE"]  # the tests' own
        self.env |= {"PHASEGATE_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
        self.log = data_dir.with_suffix(".out")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", *arguments],
                cwd=CHECKOUT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell gives a foreground process this; a test runner in the background does not.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )

    def until(self, reached: Callable[[str], Any]) -> Any:
        """What `reached` finds in the output, once it finds something."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := reached(self.said())):
            assert self.process.poll() is None, self.said()[-4000:]
            assert time.monotonic() < deadline, self.said()[-4000:]
            time.sleep(0.2)
        return found

    def said(self) -> str:
        """The output so far."""
        return self.log.read_text(errors="replace")

    def runs(self) -> list[dict[str, Any]]:
        """All runs, as another terminal lists them."""
        done = subprocess.run(
            [sys.executable, "manage.py", "run", "list", "--json", "--as", "e.mori"],
            cwd=CHECKOUT,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        listed: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
        return listed

    def processes(self) -> list[str]:
        """Command lines of everything that lives for this demo, servers included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                mine = process.environ().get("PHASEGATE_DATA_DIR") == str(self.data_dir)
                if process.status() != psutil.STATUS_ZOMBIE and (mine or str(self.data_dir) in line):
                    found.append(line)
        return found

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it if a test failed before it did."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)


@pytest.fixture
def start() -> Iterator[Callable[..., Demo]]:
    """Starts demos on one data directory, and forgets it at the end."""
    # Not below the test's own directory, which the servers' account could not enter.
    parent = Path(tempfile.mkdtemp(prefix="phasegate-demo-test-"))
    parent.chmod(0o711)
    data_dir = parent / "data"
    started: list[Demo] = []

    def begin(*arguments: str) -> Demo:
        started.append(Demo(data_dir, *arguments))
        return started[-1]

    try:
        yield begin
    finally:
        for demo in started:
            demo.kill()
        embedded.forget(data_dir)
        for left in parent.iterdir():
            left.unlink()
        parent.rmdir()


def _password(output: str) -> str:
    found = re.search(r"a\.lindqvist\s+(\S+)", output)
    assert found is not None
    return found.group(1)


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


@pytest.mark.slow
def test_ctrl_c_stops_everything_and_a_second_start_goes_on(start: Callable[..., Demo]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        first = start("--port", str(port))
        address, chosen = first.until(ADDRESS.search).groups()
        assert int(chosen) != port
        assert f"port {port} is taken" in first.said()
    assert 'name="password"' in _fetch(address)
    # The first run is being driven on staging when somebody presses Ctrl-C.
    first.until(lambda said: "staging: phase 1" in said)
    waiting = [run for run in first.runs() if run["target"] == "bars"]
    assert [run["state"] for run in waiting] == ["awaiting_approval"]
    assert len(first.processes()) > 8
    password = _password(first.said())
    assert first.interrupt() == 0
    assert first.said().rstrip().endswith("stopping")
    assert first.processes() == []

    second = start("--port", "0")
    second.until(ADDRESS.search)
    assert _password(second.said()) == password
    second.until(lambda said: "staging: phase 2" in said)
    assert [run["name"] for run in second.runs()] == ["dxy_1m-2", "dxy_1m-1"]
    assert second.interrupt() == 0
    assert second.processes() == []


@pytest.mark.slow
def test_ctrl_c_while_bars_are_loaded_spoils_nothing(start: Callable[..., Demo]) -> None:
    first = start("--port", "0")
    first.until(lambda said: "looking for bars" in said)
    time.sleep(1)
    assert first.interrupt() == 0
    assert "Traceback" not in first.said()
    assert first.processes() == []

    second = start("--port", "0")
    second.until(ADDRESS.search)
    assert second.interrupt() == 0
    assert second.processes() == []


@pytest.mark.slow
def test_a_second_demo_on_the_same_directory_is_refused(start: Callable[..., Demo]) -> None:
    first = start("--port", "0")
    first.until(lambda said: "looking for bars" in said)
    other = subprocess.run(
        [sys.executable, "manage.py", "demo", "--port", "0"],
        cwd=CHECKOUT,
        env=first.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 1
    assert "is in use by another running Phasegate" in other.stderr
    assert first.process.poll() is None
