"""``python -m bench.panel.reader``: fills a panel with runs, and takes the time of its pages."""

from __future__ import annotations

import secrets
import statistics
import time

import psycopg

from bench.panel import serving

serving.set_up()

from django.db import connection  # noqa: E402 - only once the settings are loaded
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from bench import world as worlds  # noqa: E402
from bench.panel import driving, empty_plan  # noqa: E402
from migration_runs.phases import Role  # noqa: E402
from migration_runs.selectors import live_stamp  # noqa: E402

HOST = "127.0.0.1"
FILLED = ("run", "phaserun", "steprun", "logline", "auditevent")


class Panel:
    """A panel with as much in it as was asked for, and the run that its pages are looked at for."""

    def __init__(self) -> None:
        self.run = 0
        self.client = Client(headers={"host": HOST})

    def fill(
        self, owner_url: str, dsn: str, *, active: int, runs: int, steps: int, events: int, lines: int
    ) -> int:
        """``active`` runs under way, the rest of ``runs`` sealed with ``steps`` steps a phase; so many
        ``events`` of all, ``lines`` of the first. Returns the first run's number.
        """
        driving.prepare()
        with psycopg.connect(owner_url) as target:
            for number in range(active):
                tables = [f"public.page_{side}_{secrets.token_hex(4)}_{number}" for side in ("old", "new")]
                for table in tables:
                    target.execute(worlds.statement("panel_table").format(table=table).encode())
                target.commit()
                made = driving.approved(empty_plan.empty_plan((tables[0], tables[1])))
                self.run = self.run or made.pk
        with psycopg.connect(dsn, autocommit=True) as control:
            control.execute("SET session_replication_role = replica")
            much = {"run": self.run, "runs": runs - active, "steps": steps}
            control.execute(worlds.statement("panel_runs").encode(), much)
            control.execute(worlds.statement("panel_under_way").encode())
            control.execute(worlds.statement("panel_events").encode(), {"events": events})
            control.execute(worlds.statement("panel_log").encode(), {"run": self.run, "lines": lines})
            for table in FILLED:
                control.execute(f"VACUUM (ANALYZE) public.migration_runs_{table}".encode())
        self.client.force_login(driving.person(Role.DBA))
        return self.run

    def page(self, name: str, *, times: int) -> tuple[float, int, int]:
        """The median seconds of the server for a page, the queries that it takes, and its status."""
        self._get(name)
        with CaptureQueriesContext(connection) as seen:
            status = self._get(name)
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            self._get(name)
            taken.append(time.perf_counter() - started)
        return statistics.median(taken), len(seen), status

    def _get(self, name: str) -> int:
        if name == "start":
            return self.client.get("/admin/").status_code
        if name == "list":
            return self.client.get(reverse("admin:migration_runs_run_changelist")).status_code
        if name == "run":
            return self.client.get(reverse("admin:migration_runs_run_change", args=[self.run])).status_code
        address = reverse("admin:migration_runs_run_live", args=[self.run])
        return self.client.get(address, {"seen": live_stamp.stamp_of(self.run)}).status_code


if __name__ == "__main__":
    panel = Panel()
    serving.serve({"fill": panel.fill, "page": panel.page})
