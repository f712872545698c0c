"""The script that the control database's container runs once, against a real server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from controlpanel import embedded
from tests.processes import CHECKOUT

SCRIPT = CHECKOUT / "controlpanel" / "docker" / "control-init.sh"
AWKWARD = 'it\'s "quoted" $HOME \\ ; DROP'


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[embedded.Cluster]:
    """A server of the test's own, since the script makes roles."""
    tmp_path.chmod(0o711)
    with embedded.Cluster(tmp_path / "data", fsync=False, broker=False) as cluster:
        yield cluster
    embedded.forget(tmp_path / "data")


def run_script(cluster: embedded.Cluster, **variables: str) -> subprocess.CompletedProcess[str]:
    parts = urlsplit(cluster.superuser_dsn())
    return subprocess.run(
        ["bash", str(SCRIPT)],
        env={
            "PATH": f"{cluster.pg_bin_dir}:{os.environ['PATH']}",
            "POSTGRES_USER": "postgres",
            "PGPASSWORD": parts.password or "",
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port),
            "PHASEGATE_SQL_DIR": str(CHECKOUT / "controlpanel" / "sql"),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_makes_the_same_roles_and_rights_as_the_embedded_servers(fresh: embedded.Cluster) -> None:
    done = run_script(fresh, CONTROL_OWNER_PASSWORD=AWKWARD, CONTROL_APP_PASSWORD="app")
    assert done.returncode == 0, done.stderr
    where = urlsplit(fresh.superuser_dsn())
    address = {"host": where.hostname, "port": where.port, "dbname": "phasegate"}
    with psycopg.connect(user="phasegate_owner", password=AWKWARD, **address) as owner:  # type: ignore[arg-type]
        owner.execute("CREATE TABLE made (id bigint GENERATED ALWAYS AS IDENTITY, n int)")
    with psycopg.connect(user="phasegate_app", password="app", **address) as app:  # type: ignore[arg-type]
        app.execute("INSERT INTO made (n) VALUES (1)")
        app.execute("UPDATE made SET n = 2")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("TRUNCATE made")
        app.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE not_allowed (n int)")


def test_it_stops_when_a_password_is_missing(fresh: embedded.Cluster) -> None:
    done = run_script(fresh, CONTROL_OWNER_PASSWORD="owner")
    assert done.returncode != 0
    with psycopg.connect(fresh.superuser_dsn()) as conn:
        assert conn.execute("SELECT count(*) FROM pg_roles WHERE rolname ~ '^phasegate'").fetchone() == (0,)
