"""Which version of its code each component of the bars system runs, and putting another one in place."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, cast, get_args

import psycopg

from bars import sql_files
from bars.exceptions import DeploymentTimedOut, NotInstalled

Version = Literal["legacy", "migrated"]
Component = Literal["feed", "aggregator", "signals"]

VERSIONS: tuple[Version, ...] = get_args(Version)
COMPONENTS: tuple[Component, ...] = get_args(Component)


def application_name(component: Component, version: Version) -> str:
    """Return how a component on a version names itself in ``pg_stat_activity``."""
    return f"bars-{component}/{version}"


def deployed_version(conn: psycopg.Connection[Any], component: Component) -> Version:
    """Return the version that is deployed for a component; legacy where none was ever deployed."""
    row = conn.execute(
        "SELECT version FROM public.bars_deployment WHERE component = %s", [component]
    ).fetchone()
    return cast(Version, row[0]) if row else "legacy"


def running(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the names under which bars components are connected to this database, with their connections."""
    return {row[0]: row[1] for row in conn.execute(sql_files.read("deployment/running"))}


def deploy(
    conn: psycopg.Connection[Any],
    *,
    version: Version,
    timeout: timedelta = timedelta(seconds=60),
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Deploy ``version`` for every component and wait until those that run have restarted on it.

    ``report`` is told what is being waited for. Raises ``NotInstalled``, or ``DeploymentTimedOut`` naming who
    did not come back; the deployment itself stays written, so a component that starts later is on it.
    """
    try:
        # looked up first: who notices the deployment at once is gone for the moment of its restart
        before = running(conn)
        conn.execute(
            sql_files.read("deployment/deploy"), {"version": version, "components": list(COMPONENTS)}
        )
    except psycopg.errors.UndefinedTable as error:
        raise NotInstalled("this target has no bars tables; run `manage.py bars load` first") from error
    long_lived = [c for c in ("feed", "aggregator") if any(name.startswith(f"bars-{c}/") for name in before)]
    deadline = time.monotonic() + timeout.total_seconds()
    waited_for: list[str] = []
    while waiting := [c for c in long_lived if not _arrived(running(conn), cast(Component, c), version)]:
        if time.monotonic() > deadline:
            raise DeploymentTimedOut(
                f"{', '.join(waiting)} did not restart on {version} within {timeout.total_seconds():.0f} s; "
                f"connected now: {', '.join(sorted(running(conn))) or 'none'}"
            )
        if waiting != waited_for:
            report(f"waiting for {', '.join(waiting)} to restart on {version}")
            waited_for = waiting
        time.sleep(0.1)


def _arrived(names: dict[str, int], component: Component, version: Version) -> bool:
    mine = {name for name in names if name.startswith(f"bars-{component}/")}
    return mine == {application_name(component, version)}
