"""A real streaming standby of an embedded cluster, made with ``pg_basebackup``, whose replay can be stopped.

with standby.of(cluster) as following:
    following.pause_replay()
    ...  # it goes on receiving WAL and applies none: it lags
    following.resume_replay()
    following.caught_up()
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from controlpanel import embedded, embedded_place
from controlpanel.embedded_databases import SUPERUSER
from controlpanel.embedded_ports import HOST
from controlpanel.embedded_process import Server
from controlpanel.embedded_servers import Postgres

GIVE_UP_S = 120.0
"""No promise of speed: only so that a broken standby fails the test instead of hanging it."""


class StandbyServer(Postgres):
    """A server whose files are copied from another one, which it then follows."""

    name = "standby"

    def __init__(self, data_dir: Path, *, primary: embedded.Cluster, slot: str) -> None:
        place = embedded_place.find_place(data_dir)
        password = psycopg.conninfo.conninfo_to_dict(primary.superuser_dsn())["password"]
        super().__init__(data_dir, place=place, password=str(password), fsync=False)
        self._primary = primary
        self._slot = slot

    def prepare(self) -> None:
        """Copy the primary. The copy names the primary, the slot and the standby's name in its settings."""
        account, pgdata = self.place.account, self.place.pgdata
        pgdata.mkdir(mode=0o700)
        if account:
            os.chown(pgdata, account.uid, account.gid)
        primary = f"host={HOST} port={self._primary.databases.port} user={SUPERUSER}"
        primary += f" application_name={self._slot}"
        command = [str(self.place.postgres_bin / "pg_basebackup"), "-D", str(pgdata), "-d", primary]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        command += ["--create-slot", "--slot", self._slot]
        done = subprocess.run(
            command,
            cwd=self.place.home,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        assert done.returncode == 0, f"pg_basebackup: {done.stderr}"


@dataclasses.dataclass(frozen=True)
class Standby:
    """A standby that follows ``primary`` as ``name`` (its application_name and its slot)."""

    name: str
    server: Server
    primary: embedded.Cluster
    password: str

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[Any]:
        """A session of the superuser on the standby: it may read, and steer the replay."""
        return psycopg.connect(
            host=HOST,
            port=self.server.port,
            user=SUPERUSER,
            password=self.password,
            dbname=dbname,
            autocommit=True,
        )

    def pause_replay(self) -> None:
        """Apply no WAL from here on; returns when that is so. WAL is still received."""
        with self.connect() as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
            _until(conn, "SELECT pg_get_wal_replay_pause_state() = 'paused'", what="replay paused")

    def resume_replay(self) -> None:
        """Apply WAL again."""
        with self.connect() as conn:
            conn.execute("SELECT pg_wal_replay_resume()")

    def caught_up(self) -> None:
        """Wait until everything that the primary has written by now is applied."""
        with psycopg.connect(self.primary.superuser_dsn(), autocommit=True) as primary:
            # A mark of its own that is flushed: a commit need not have been, where it is asynchronous.
            mark = "SELECT pg_logical_emit_message(false, 'standby', '', true)::text"
            row = primary.execute(mark.encode()).fetchone()
        assert row is not None
        with self.connect() as conn:
            _until(conn, f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'::pg_lsn", what="caught up")


@contextmanager
def of(primary: embedded.Cluster, *, name: str = "standby") -> Iterator[Standby]:
    """A standby of ``primary``, streaming. Afterwards it is gone, and so is its slot."""
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-standby-"))
    data_dir.chmod(0o711)  # as root the server runs as another user, who passes through
    server = StandbyServer(data_dir, primary=primary, slot=name)
    try:
        server.start()
        with psycopg.connect(primary.superuser_dsn(), autocommit=True) as conn:
            _until(
                conn,
                f"SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = '{name}' "
                "AND state = 'streaming')",
                what="streaming",
            )
        yield Standby(name=name, server=server, primary=primary, password=server.password)
    finally:
        server.stop()
        with psycopg.connect(primary.superuser_dsn(), autocommit=True) as conn:
            _until(
                conn,
                f"SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{name}' AND active)",
                what="the slot let go",
            )
            conn.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
                (name,),
            )
        embedded_place.remove_outside_home(data_dir)
        shutil.rmtree(data_dir)


def _until(conn: psycopg.Connection[Any], question: str, *, what: str) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        row = conn.execute(question.encode()).fetchone()
        if row is not None and row[0]:
            return
        assert time.monotonic() < deadline, f"never came to pass: {what}"
        time.sleep(0.02)
