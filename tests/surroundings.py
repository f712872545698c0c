"""What the panel's processes work on in a test: a broker, a target database, and the environment naming them.

Fixtures give these to one test (``tests/conftest.py``) or to all tests of a module (``tests/browser``).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kombu.pools
import pytest
import redis
from django.conf import settings

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls, TargetUrls
from tests.pointing import pointed


def unique(prefix: str) -> str:
    """A database name that nobody else has."""
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


def emptied_broker(cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of the broker, emptied; this process's Celery application publishes to it."""
    from controlpanel.celery import app  # noqa: PLC0415 - tests without a broker need no Celery

    with redis.Redis.from_url(cluster.broker_url) as client:
        client.flushall()
    # Pools are kept by address and cannot be opened again once closed, so all are forgotten.
    kombu.pools.reset()  # type: ignore[no-untyped-call]
    app._after_fork()
    # Celery itself reads this variable, before its own configuration.
    monkeypatch.setenv("CELERY_BROKER_URL", cluster.broker_url)
    app.set_default()
    return cluster.broker_url


@contextmanager
def target_database(
    cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch, *, template: str | None
) -> Iterator[TargetUrls]:
    """A target database, known to the settings as ``bars`` and dropped at the end."""
    name = unique("target")
    urls = cluster.databases.ensure_target(name, template=template)
    monkeypatch.setitem(settings.TARGETS, "bars", urls.runner_url)
    monkeypatch.setitem(settings.BARS_APP, "bars", urls.app_url)
    with pointed({"bars": urls.runner_url}):
        yield urls
    cluster.databases.drop(name)


@contextmanager
def scratch_database(cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[TargetUrls]:
    """An empty database, known to the settings as the scratch of ``bars`` and dropped at the end."""
    name = unique("scratch")
    urls = cluster.databases.ensure_target(name)
    monkeypatch.setitem(settings.SCRATCH, "bars", urls.runner_url)
    yield urls
    cluster.databases.drop(name)


def environment(
    *,
    cluster: embedded.Cluster,
    control: ControlUrls,
    target: TargetUrls,
    scratch: TargetUrls,
    broker: str,
    backups: Path,
) -> dict[str, str]:
    """Environment for processes of the project; ``backups`` is made."""
    backups.mkdir(mode=0o700)
    names = ("TARGET_", "SCRATCH_", "BARS_APP_URL_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "controlpanel.settings",
        "PHASEGATE_DEMO": "1",
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "SWEEP_SECONDS": "1",
        "DATABASE_URL": control.app_url,
        "DATABASE_OWNER_URL": control.owner_url,
        "CELERY_BROKER_URL": broker,
        "TARGET_BARS_URL": target.runner_url,
        "BARS_APP_URL_BARS": target.app_url,
        "SCRATCH_BARS_URL": scratch.runner_url,
        "BACKUP_DIR": str(backups),
        "PG_BIN_DIR": str(cluster.pg_bin_dir),
        "PYTHONWARNINGS": "default",
    }
