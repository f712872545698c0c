"""The panel of a whole test module: its runs are made once, and each test looks at one of its pages."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from controlpanel import embedded
from tests.browser import shown as showing
from tests.pointing import pointed
from tests.processes import Processes
from tests.surroundings import (
    emptied_broker,
    environment,
    scratch_database,
    target_database,
    unique,
)


@pytest.fixture(scope="module")
def shown(
    cluster: embedded.Cluster,
    control_template: str,
    bars_template: str,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[showing.Shown]:
    """A panel under gunicorn with runs in every state, and three days of bars in its target."""
    from bars import loading  # noqa: PLC0415 - tests without bars need not load them

    place = tmp_path_factory.mktemp("shown")
    name = unique("control")
    control = cluster.databases.ensure_control(name, template=control_template)
    with (
        pytest.MonkeyPatch.context() as patch,
        django_db_blocker.unblock(),
        pointed({"owner": control.owner_url, "default": control.app_url}),
        target_database(cluster, patch, template=bars_template) as target,
        scratch_database(cluster, patch) as scratch,
    ):
        env = environment(
            cluster=cluster,
            control=control,
            target=target,
            scratch=scratch,
            broker=emptied_broker(cluster, patch),
            backups=place / "backups",
        )
        patch.setattr(settings, "BACKUP_DIR", place / "backups")
        patch.setattr(settings, "NOTIFY_EMAIL", True)
        env |= {"EMAIL_URL": f"filemail://{place}/mail", "EMAIL_FROM": "phasegate@example.org"}
        with psycopg.connect(target.app_url) as conn:
            loading.restart_clock(conn)
        runs = showing.everything(target)
        processes = Processes(env, place)
        try:
            port = embedded.free_port()
            processes.start_web(port)
            yield showing.Shown(f"http://127.0.0.1:{port}", runs)
        finally:
            processes.stop()
    cluster.databases.drop(name)
