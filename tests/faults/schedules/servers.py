"""Servers for schedules outside the test session: two PostgreSQL, a broker, and the world on them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.core.management import call_command

from controlpanel import embedded
from tests.faults.world import World
from tests.pointing import pointed

TEMPLATE = "control_template"


@contextlib.contextmanager
def servers() -> Iterator[World]:
    """A world on servers of its own, all of it gone when the block is left."""
    with _place() as control_dir, _place() as target_dir, tempfile.TemporaryDirectory() as logs:
        Path(logs).chmod(0o711)
        with (
            embedded.Cluster(control_dir, fsync=False) as cluster,
            embedded.Cluster(target_dir, fsync=False, broker=False) as target_cluster,
        ):
            urls = cluster.databases.ensure_control(TEMPLATE)
            with pointed({"owner": urls.owner_url, "default": urls.app_url}):
                call_command("migrate", verbosity=0, interactive=False)
            # Celery itself reads this variable, before its own configuration.
            os.environ["CELERY_BROKER_URL"] = cluster.broker_url
            yield World(
                cluster=cluster, target_cluster=target_cluster, control_template=TEMPLATE, logs=Path(logs)
            )


@contextlib.contextmanager
def _place() -> Iterator[Path]:
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-schedules-"))
    data_dir.chmod(0o711)  # as root the servers run as another user, who passes through
    try:
        yield data_dir
    finally:
        embedded.forget(data_dir)
