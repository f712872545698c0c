"""Servers for fault tests: the target lives on a server of its own, so that either can be killed alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls
from tests import runs
from tests.faults.scene import LEASE_S, SWEEP_S, Scene
from tests.faults.world import World
from tests.pointing import pointed
from tests.processes import Processes


@pytest.fixture(scope="session")
def target_cluster() -> Iterator[embedded.Cluster]:
    """A second PostgreSQL, for targets alone."""
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-faults-"))
    data_dir.chmod(0o711)
    try:
        with embedded.Cluster(data_dir, fsync=False, broker=False) as running:
            yield running
    finally:
        embedded.forget(data_dir)


@pytest.fixture(scope="session")
def world_of_session(
    cluster: embedded.Cluster,
    target_cluster: embedded.Cluster,
    control_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    """The servers and snapshots that all tests of this session share."""
    logs = tmp_path_factory.mktemp("faults")
    return World(cluster=cluster, target_cluster=target_cluster, control_template=control_template, logs=logs)


@pytest.fixture
def world(world_of_session: World, broker: str, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """A run over nine phases on two servers; ``with world.stage(4) as stage`` begins at phase 4."""
    with django_db_blocker.unblock():
        yield world_of_session


@pytest.fixture
def scene(
    cluster: embedded.Cluster,
    target_cluster: embedded.Cluster,
    control_db: ControlUrls,
    project_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    """Tables on a target, and no process yet."""
    name = f"faulty_{tmp_path.name.replace('-', '_')[-40:].lower()}"
    target = target_cluster.databases.ensure_target(name)
    runs.make_tables(target.owner_url)
    env = project_env | {
        "TARGET_BARS_URL": target.runner_url,
        "PHASEGATE_LEASE_SECONDS": str(LEASE_S),
        "SWEEP_SECONDS": str(SWEEP_S),
    }
    monkeypatch.setitem(settings.TARGETS, "bars", target.runner_url)
    processes = Processes(env, tmp_path)
    try:
        with pointed({"bars": target.runner_url}):
            yield Scene(cluster=cluster, target_cluster=target_cluster, target=target, processes=processes)
    finally:
        processes.stop()
        target_cluster.databases.drop(name)
