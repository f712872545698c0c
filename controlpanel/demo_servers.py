"""Servers for the demo's commands: what the environment does not name is started and put into it.

``manage.py demo`` keeps its data in ``.phasegate`` and notes its environment there, so that other commands
find it. ``manage.py demo run`` has everything of its own in a temporary directory, whatever the environment
says: it must never touch databases that somebody uses. Both find a complete environment in ``os.environ``
and in the settings; the servers stop when the command ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from urllib.parse import quote

from controlpanel import embedded, env

CONTROL_DATABASE = "phasegate"
TARGETS = ("bars", "staging")
MAIL_DIR = "mail"
"""Where, in its data directory, the demo puts the e-mail that it would send: one file for each."""

DEMO_SWEEP_SECONDS = "1"
"""The demo's checks come each second; the sweeper must not be slower than they are."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it."""

HELP = frozenset({"help", "-h", "--help", "version", "--version"})
FOR_HELP_ALONE = {
    "SECRET_KEY": "help is printed without signing anything",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "BACKUP_DIR": os.curdir,
}
"""Help needs settings, but nothing that they name."""

CONTROL_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL")
ADDRESS_VARIABLES = frozenset(
    {*CONTROL_VARIABLES, "CELERY_BROKER_URL", "SECRET_KEY", "BACKUP_DIR", "PG_BIN_DIR", "EMAIL_URL"}
)
ADDRESS_PREFIXES = ("TARGET_", "SCRATCH_", "BARS_APP_URL_", "NOTIFY_URLS")
OTHER_VARIABLES = frozenset(
    {
        "ALLOWED_HOSTS",
        "EMAIL_FROM",
        "PHASEGATE_DEMO",
        "PHASEGATE_LEASE_SECONDS",
        "PHASEGATE_VERIFICATION_SECONDS",
        "PUBLIC_URL",
        "REHEARSAL_TARGETS",
        "RUNBOOK_DIRS",
        "SWEEP_SECONDS",
    }
)


@contextlib.contextmanager
def for_command(argv: Sequence[str]) -> Iterator[None]:
    """Servers for the command line `argv` while the block lasts; nothing for commands other than ``demo``."""
    if len(argv) < 2 or HELP & set(argv):
        for name, value in FOR_HELP_ALONE.items():
            os.environ.setdefault(name, value)
        yield
        return
    if argv[1] != "demo":
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with _headless() if "run" in argv[2:] else _kept():
            yield
    except embedded.EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        # Wherever it came, also while modules are loaded: a person stopped the demo, nothing went wrong.
        raise SystemExit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _headless() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="phasegate-demo-", ignore_cleanup_errors=True) as made:
        data_dir = Path(made)
        if os.geteuid() == 0:
            data_dir.chmod(0o711)  # the servers' account passes through
        for name in [name for name in os.environ if _is_address(name)]:
            del os.environ[name]
        try:
            with embedded.Cluster(data_dir) as cluster:
                _ensure_databases(cluster, os.environ)
                os.environ.update(cluster.environment())
                os.environ.setdefault("SWEEP_SECONDS", DEMO_SWEEP_SECONDS)
                yield
        finally:
            embedded.forget(data_dir)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    given = dict(os.environ)
    data_dir = embedded.default_data_dir()
    postgres = not all(
        given.get(name) for name in (*CONTROL_VARIABLES, "TARGET_BARS_URL", "TARGET_STAGING_URL")
    )
    broker = not given.get("CELERY_BROKER_URL")
    if (postgres or broker) and not embedded.owned_by_live_process(data_dir):
        sys.stderr.write(f"starting servers in {data_dir}\n")
        sys.stderr.flush()
    with embedded.Cluster(data_dir, postgres=postgres, broker=broker) as cluster:
        if postgres:
            _ensure_databases(cluster, given)
        found = {
            "SWEEP_SECONDS": DEMO_SWEEP_SECONDS,
            "EMAIL_URL": f"filemail://{quote(str((data_dir / MAIL_DIR).absolute()))}",
            "PUBLIC_URL": "http://127.0.0.1:8000",  # until the panel has chosen its port
            "EMAIL_FROM": "Phasegate demo <phasegate@demo.invalid>",
            **cluster.environment(),
        }
        # What the user has set wins, piece by piece.
        os.environ.update({name: value for name, value in found.items() if not given.get(name)})
        noted = data_dir / env.ENVIRONMENT_FILE
        noted.unlink(missing_ok=True)
        noted.touch(mode=0o600)
        noted.write_text(json.dumps({name: os.environ[name] for name in os.environ if _ours(name)}, indent=2))
        try:
            yield
        finally:
            noted.unlink(missing_ok=True)


def _ensure_databases(cluster: embedded.Cluster, given: Mapping[str, str]) -> None:
    if not all(given.get(name) for name in CONTROL_VARIABLES):
        cluster.ensure_control_database(CONTROL_DATABASE)
    for alias in TARGETS:
        if not given.get(f"TARGET_{alias.upper()}_URL"):
            cluster.ensure_target_database(alias)
            cluster.ensure_scratch_database(f"{alias}_scratch", alias=alias)


def _is_address(name: str) -> bool:
    """Whether an environment variable says where something of the panel is."""
    return name in ADDRESS_VARIABLES or name.startswith(ADDRESS_PREFIXES)


def _ours(name: str) -> bool:
    """Whether an environment variable configures the panel."""
    return name in OTHER_VARIABLES or _is_address(name)


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends like Ctrl-C does: through every ``finally``."""
    raise SystemExit(143)
