"""A control database with its environment, and programs that run in it and are asked by lines of JSON."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.world import World
from controlpanel.embedded_databases import ControlUrls

ROOT = Path(__file__).resolve().parent.parent.parent


class ProgramError(Exception):
    """A program of the benchmark ended by itself; what it printed is on standard error."""


@dataclass(frozen=True)
class Stage:
    """A control database, empty but for what the migrations put there, and the environment that names it."""

    control: ControlUrls
    environment: dict[str, str]
    superuser_dsn: str

    @contextmanager
    def program(self, module: str, *arguments: str) -> Iterator[Program]:
        """``python -m module`` until the block ends."""
        with subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Program(process)
            finally:
                process.kill()


@dataclass(frozen=True)
class Program:
    """A running program that answers each line with a line."""

    process: subprocess.Popen[str]

    def tell(self, **what: Any) -> None:
        """Send a request without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        """The next answer. Raises ProgramError when there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ProgramError(f"{self.process.args!r} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def ask(self, **what: Any) -> Any:
        """Send a request and wait for its answer."""
        self.tell(**what)
        return self.hear()


@contextmanager
def stage(world: World, *, name: str = "control") -> Iterator[Stage]:
    """Make the control database, give it up in the end. Its target ``bars`` is the world's database.

    ``name`` tells it from another that is there at the same time.
    """
    name, scratch = f"{world.urls.dbname}_{name}", f"{world.urls.dbname}_{name}_scratch"
    databases = world.databases
    databases.drop(name)  # of an earlier attempt
    control = databases.ensure_control(name)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("TARGET_", "SCRATCH_"))
    }
    environment |= {
        "DJANGO_SETTINGS_MODULE": "controlpanel.settings",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATABASE_URL": control.app_url,
        "DATABASE_OWNER_URL": control.owner_url,
        "CELERY_BROKER_URL": world.cluster.broker_url,
        "ALLOWED_HOSTS": "127.0.0.1",
        "BACKUP_DIR": str(world.cluster.data_dir / "backups"),
        "PHASEGATE_DEMO": "1",
        "TARGET_BARS_URL": world.urls.runner_url,
        "BARS_APP_URL_BARS": world.urls.app_url,
        "SCRATCH_BARS_URL": databases.ensure_target(scratch).runner_url,
    }
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env=environment,
            check=True,
        )
        yield Stage(control, environment, databases.url("postgres", name))
    finally:
        databases.drop(name)
        databases.drop(scratch)
