"""Fixtures: real PostgreSQL and Valkey servers, databases made from templates, real processes, a browser.

===================  =========================================================================================
``db`` (mark)        the session's control database, each test rolled back: for tests that do not commit
``control_db``       a control database of the test's own, committed for real, dropped afterwards
``target``           an empty target database under the alias ``bars``, with its roles
``bars_target``      the same with the legacy bars loaded (one market day's worth and more)
``scratch``          a scratch database for the alias ``bars``
``broker``           URL of an empty broker
``project_env``      the environment of processes that work on all of the above
``run_manage``       runs ``manage.py`` as a process of its own
``celery_workers``   one real worker; ``processes`` starts more, beat and web
``panel_url``        the panel under gunicorn; ``page`` a browser page
===================  =========================================================================================
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from pytest_django.plugin import DjangoDbBlocker

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls, TargetUrls
from tests.pointing import pointed
from tests.processes import CHECKOUT, Processes
from tests.surroundings import (
    emptied_broker,
    environment,
    scratch_database,
    target_database,
    unique,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CONTROL_TEMPLATE = "control_template"
BARS_TEMPLATE = "bars_template"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

# Generated tests: the same few examples each time; with --hypothesis-profile=long many, and others each time.
_NO_HURRY: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
hypothesis_settings.register_profile(
    "quick",
    derandomize=True,
    database=None,
    max_examples=14,
    stateful_step_count=14,
    phases=[Phase.explicit, Phase.generate],
    **_NO_HURRY,
)
hypothesis_settings.register_profile("long", max_examples=300, stateful_step_count=60, **_NO_HURRY)
hypothesis_settings.load_profile("quick")


# -- servers


@pytest.fixture(scope="session")
def cluster() -> Iterator[embedded.Cluster]:
    """PostgreSQL and Valkey for the whole session, without fsync."""
    data_dir = Path(tempfile.mkdtemp(prefix="phasegate-tests-"))
    data_dir.chmod(0o711)  # as root the servers run as another user, who passes through
    try:
        with embedded.Cluster(data_dir, fsync=False) as running:
            yield running
    finally:
        embedded.forget(data_dir)


@pytest.fixture
def broker(cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of the broker, emptied; this process's Celery application publishes to it."""
    return emptied_broker(cluster, monkeypatch)


# -- the control database


@pytest.fixture(scope="session")
def control_template(cluster: embedded.Cluster, django_db_blocker: DjangoDbBlocker) -> str:
    """A control database as the migrations make it, run by the owner role; copied, never used."""
    urls = cluster.databases.ensure_control(CONTROL_TEMPLATE)
    with django_db_blocker.unblock(), pointed({"owner": urls.owner_url, "default": urls.app_url}):
        call_command("migrate", verbosity=0, interactive=False)
    return CONTROL_TEMPLATE


@pytest.fixture(scope="session")
def django_db_setup(
    cluster: embedded.Cluster, control_template: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """The database behind ``@pytest.mark.django_db``: a copy of the template, not Django's test database."""
    name = unique("control")
    urls = cluster.databases.ensure_control(name, template=control_template)
    with django_db_blocker.unblock(), pointed({"owner": urls.owner_url, "default": urls.app_url}):
        yield
    cluster.databases.drop(name)


@pytest.fixture
def control_db(
    cluster: embedded.Cluster, control_template: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[ControlUrls]:
    """A control database for one test that commits. Django's connections of this process lead to it."""
    name = unique("control")
    urls = cluster.databases.ensure_control(name, template=control_template)
    with django_db_blocker.unblock(), pointed({"owner": urls.owner_url, "default": urls.app_url}):
        yield urls
    cluster.databases.drop(name)


# -- targets


@pytest.fixture
def target(cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[TargetUrls]:
    """An empty target database with its roles, known to the settings as ``bars``."""
    with target_database(cluster, monkeypatch, template=None) as urls:
        yield urls


@pytest.fixture(scope="session")
def bars_template(cluster: embedded.Cluster) -> str:
    """A target database with the legacy bars loaded; copied, never used."""
    from bars import loading  # noqa: PLC0415 - tests without bars need not load them

    urls = cluster.databases.ensure_target(BARS_TEMPLATE)
    # A fixed Monday morning: the same bars on every day of the week on which the tests run.
    with psycopg.connect(urls.app_url) as conn:
        loading.load(conn, days=3, market_start=datetime(2026, 3, 16, 8, tzinfo=UTC))
    return BARS_TEMPLATE


@pytest.fixture
def bars_target(
    cluster: embedded.Cluster, bars_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TargetUrls]:
    """A target database with three days of legacy bars, known to the settings as ``bars``.

    Its market clock starts with the test, on Monday 08:00 UTC, at real speed; ``loading.restart_clock``
    sets another.
    """
    from bars import loading  # noqa: PLC0415 - as above

    with target_database(cluster, monkeypatch, template=bars_template) as urls:
        with psycopg.connect(urls.app_url) as conn:
            loading.restart_clock(conn)
        yield urls


@pytest.fixture
def scratch(cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[TargetUrls]:
    """An empty database on which backups are restored, known to the settings as the scratch of ``bars``."""
    with scratch_database(cluster, monkeypatch) as urls:
        yield urls


# -- processes


@pytest.fixture
def project_env(
    request: pytest.FixtureRequest,
    cluster: embedded.Cluster,
    control_db: ControlUrls,
    scratch: TargetUrls,
    broker: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Environment for processes of the project.

    Its target is ``bars_target`` where the test asks for that, else ``target``.
    """
    wanted = "bars_target" if "bars_target" in request.fixturenames else "target"
    target: TargetUrls = request.getfixturevalue(wanted)
    backups = tmp_path / "backups"
    monkeypatch.setattr(settings, "BACKUP_DIR", backups)
    return environment(
        cluster=cluster, control=control_db, target=target, scratch=scratch, broker=broker, backups=backups
    )


RunManage = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_manage(project_env: dict[str, str]) -> RunManage:
    """``run_manage("run", "list", env={...}, stdin="...")``: the finished process, exit code not checked."""

    def run(
        *args: str, env: dict[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=CHECKOUT,
            env=project_env | (env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def processes(project_env: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    """Starts workers, beat and web on the test's own databases; stops them all afterwards."""
    started = Processes(project_env, tmp_path)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def celery_workers(processes: Processes) -> Processes:
    """One real worker with two children, for all queues."""
    processes.start_worker()
    return processes


# -- browser


@pytest.fixture
def panel_url(processes: Processes) -> str:
    """Address of the panel under gunicorn, on the test's own databases."""
    port = embedded.free_port()
    processes.start_web(port)
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Without one the test is skipped, or fails where PHASEGATE_REQUIRE_BROWSER=1."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - most tests need no browser

    given = os.environ.get("PHASEGATE_CHROMIUM")
    program = given or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if program is None:
        message = f"no Chromium found (PHASEGATE_CHROMIUM, or {', '.join(CHROMIUM_NAMES)} on the PATH)"
        if os.environ.get("PHASEGATE_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(f"BROWSER TESTS DO NOT RUN: {message}")
    # Playwright keeps an event loop running in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work as root.
        args = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=args)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a browser context of its own; any error on the page's console fails the test."""
    context = chromium.new_context()
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if _is_csp(message) else None)
    yield opened
    context.close()
    assert not errors, f"errors in the browser: {errors}"


def _is_csp(message: Any) -> bool:
    return message.type == "error" and "Content Security Policy" in message.text
