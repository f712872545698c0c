"""PostgreSQL and Valkey out of Python wheels, for demo, tests and benchmarks.

    with embedded.Cluster(Path(".phasegate")) as cluster:
        cluster.ensure_control_database("phasegate")
        cluster.ensure_target_database("bars")
        subprocess.run([...], env={**os.environ, **cluster.environment()})

Both servers listen on 127.0.0.1 alone, ask for passwords, and stop with the process that started them,
however it ends. They are no place for production data.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from controlpanel import embedded_databases, embedded_place
from controlpanel.embedded_databases import ControlUrls, TargetUrls
from controlpanel.embedded_errors import DirectoryBusyError, EmbeddedError, ServerFailedError
from controlpanel.embedded_ports import HOST, free_port
from controlpanel.embedded_servers import Postgres, Valkey

__all__ = [
    "Cluster",
    "ControlUrls",
    "DirectoryBusyError",
    "EmbeddedError",
    "ServerFailedError",
    "TargetUrls",
    "default_data_dir",
    "forget",
    "free_port",
    "owned_by_live_process",
]

CHECKOUT = Path(__file__).resolve().parent.parent


def default_data_dir() -> Path:
    """``PHASEGATE_DATA_DIR`` if set, else ``.phasegate`` of the checkout."""
    given = os.environ.get("PHASEGATE_DATA_DIR")
    return Path(given).resolve() if given else CHECKOUT / ".phasegate"


class Cluster:
    """One PostgreSQL and one Valkey server, running while the ``with`` block lasts.

    `fsync=False` trades durability for speed: for tests alone. `postgres=False` or `broker=False` leaves
    that server out, for when its URL was given by the user. Entering raises DirectoryBusyError when another
    process owns `data_dir`, and ServerFailedError with the end of the log when a server does not come up.
    """

    def __init__(
        self, data_dir: Path, *, fsync: bool = True, postgres: bool = True, broker: bool = True
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._fsync = fsync
        self._want = (postgres, broker)
        self._lock: int | None = None
        self._state: dict[str, str] = {}
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None
        self._control: ControlUrls | None = None
        self._targets: dict[str, TargetUrls] = {}
        self._scratch: dict[str, TargetUrls] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            self._lock = _own(self.data_dir)
            self._state = _load_state(self.data_dir / "servers.json")
            (self.data_dir / "backups").mkdir(mode=0o700, exist_ok=True)
            if any(self._want):
                self._start(
                    embedded_place.find_place(self.data_dir), postgres=self._want[0], broker=self._want[1]
                )
            undo.pop_all()
        return self

    def _start(self, place: embedded_place.Place, *, postgres: bool, broker: bool) -> None:
        if postgres:
            self._postgres = Postgres(
                self.data_dir, place=place, password=self._state["postgres"], fsync=self._fsync
            )
            self._postgres.start()
        if broker:
            self._valkey = Valkey(self.data_dir, place=place, password=self._state["valkey"])
            self._valkey.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both servers cleanly and give up the data directory. Harmless when nothing runs."""
        try:
            for server in (self._valkey, self._postgres):
                if server is not None:
                    server.stop()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    # -- addresses

    @property
    def databases(self) -> embedded_databases.Databases:
        """The PostgreSQL server as a place where databases are made and dropped."""
        return embedded_databases.Databases(
            host=HOST, port=self._running_postgres().port, passwords=self._state
        )

    @property
    def broker_url(self) -> str:
        """URL of the Valkey server, with its password, database 0."""
        return self._running_valkey().url

    @property
    def pg_bin_dir(self) -> Path:
        """Directory of ``pg_dump``, ``pg_restore`` and ``psql`` of the server's own version."""
        return embedded_place.wheel_postgres_dir() / "bin"

    @property
    def logs(self) -> tuple[Path, ...]:
        """Log files of the servers."""
        return tuple(server.log for server in (self._postgres, self._valkey) if server is not None)

    def url(self, role: str, dbname: str) -> str:
        """URL with password of one of the roles that this cluster knows, for any database."""
        return self.databases.url(role, dbname)

    def superuser_dsn(self, dbname: str = "postgres") -> str:
        """URL of the superuser."""
        return self.url(embedded_databases.SUPERUSER, dbname)

    # -- databases

    def ensure_control_database(self, name: str = "phasegate", *, template: str | None = None) -> ControlUrls:
        """Make the control database and its roles unless they exist; the environment then names it."""
        self._control = self.databases.ensure_control(name, template=template)
        return self._control

    def ensure_target_database(
        self, name: str, *, alias: str | None = None, template: str | None = None
    ) -> TargetUrls:
        """Make a target database and its roles unless they exist, under `alias` (default: `name`)."""
        urls = self.databases.ensure_target(name, template=template)
        self._targets[alias or name] = urls
        return urls

    def ensure_scratch_database(self, name: str, *, alias: str | None = None) -> str:
        """Make a database on which backups of target `alias` are restored; returns the runner's URL."""
        urls = self.databases.ensure_target(name)
        self._scratch[alias or name] = urls
        return urls.runner_url

    def environment(self, *, demo: bool = True) -> dict[str, str]:
        """Environment variables by which the project finds the servers and databases ensured so far."""
        env = {
            "SECRET_KEY": self._state["secret_key"],
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "BACKUP_DIR": str(self.data_dir / "backups"),
        }
        if demo:
            env["PHASEGATE_DEMO"] = "1"
        if self._postgres is not None:
            env["PG_BIN_DIR"] = str(self.pg_bin_dir)
        if self._valkey is not None:
            env["CELERY_BROKER_URL"] = self.broker_url
        if self._control is not None:
            env["DATABASE_URL"] = self._control.app_url
            env["DATABASE_OWNER_URL"] = self._control.owner_url
        for alias, target in self._targets.items():
            env[f"TARGET_{alias.upper()}_URL"] = target.runner_url
            env[f"BARS_APP_URL_{alias.upper()}"] = target.app_url
        for alias, target in self._scratch.items():
            env[f"SCRATCH_{alias.upper()}_URL"] = target.runner_url
        return env

    # -- faults

    def alive(self) -> bool:
        """Whether every server of this cluster runs."""
        return all(server.running() for server in (self._postgres, self._valkey) if server is not None)

    def crash_postgres(self) -> None:
        """SIGKILL the whole PostgreSQL server, as a power cut of it would; returns when it is gone."""
        self._running_postgres().crash()

    def start_postgres(self) -> None:
        """Start PostgreSQL again on the port it had."""
        self._running_postgres().start(same_port=True)

    def crash_valkey(self) -> None:
        """SIGKILL the broker: all messages are lost, since it keeps nothing on disk."""
        self._running_valkey().crash()

    def start_valkey(self) -> None:
        """Start the broker again, empty, on the port it had."""
        self._running_valkey().start(same_port=True)

    def _running_postgres(self) -> Postgres:
        if self._postgres is None:
            raise EmbeddedError(
                "this cluster has no PostgreSQL: it was not started, or started with postgres=False"
            )
        return self._postgres

    def _running_valkey(self) -> Valkey:
        if self._valkey is None:
            raise EmbeddedError(
                "this cluster has no broker: it was not started, or started with broker=False"
            )
        return self._valkey


def forget(data_dir: Path) -> None:
    """Delete everything that a cluster left behind. Raises DirectoryBusyError while one runs on it."""
    if data_dir.is_dir():
        lock = _own(data_dir)
        try:
            for server in (Postgres, Valkey):
                server.stop_orphan(data_dir)
            embedded_place.remove_outside_home(data_dir)
            shutil.rmtree(data_dir)
        finally:
            os.close(lock)


def owned_by_live_process(data_dir: Path) -> bool:
    """Whether a running process owns `data_dir`, so that servers noted there can be expected to answer."""
    try:
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def _own(data_dir: Path) -> int:
    """Take the directory for this process until the returned descriptor is closed or the process dies."""
    try:
        # As root the servers run as another user, who has to pass through.
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"cannot use {data_dir} for the embedded servers: {error.strerror}. It may belong to another "
            "user: remove it as that user, or set PHASEGATE_DATA_DIR to a directory of your own"
        ) from error
    # An owner that has just been killed leaves guards that need a moment; they do not hold the lock, only
    # live owners do.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 4096).decode(errors="replace").strip() or "unknown process"
        os.close(lock)
        raise DirectoryBusyError(
            f"{data_dir} is in use by another running Phasegate ({holder}). "
            "Stop that one, or set PHASEGATE_DATA_DIR to another directory"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"pid {os.getpid()}: {' '.join(sys.argv)}"[:500].encode())
    return lock


def _load_state(path: Path) -> dict[str, str]:
    """Passwords by role, the broker's, and the demo's SECRET_KEY; made at the first start."""
    state: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    wanted = (*embedded_databases.ROLES, "valkey", "secret_key")
    if missing := [name for name in wanted if name not in state]:
        state |= {name: secrets.token_urlsafe(48 if name == "secret_key" else 24) for name in missing}
        partial = path.with_suffix(".new")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(state, indent=2))
        partial.rename(path)
    return state


def main(arguments: list[str]) -> int:
    """``python -m controlpanel.embedded forget``: what ``make clean`` runs."""
    if arguments != ["forget"]:
        sys.stderr.write("usage: python -m controlpanel.embedded forget\n")
        return 2
    try:
        forget(default_data_dir())
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
