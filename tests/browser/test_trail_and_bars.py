"""The audit trail and the bars in a browser: nothing scrolls sideways, nothing breaks the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import AuditEvent
from migration_runs.phases import Role
from migration_runs.services import trail_reading
from tests.browser.test_run_page import SCHEMES, WIDTHS, log_in
from tests.integration import panel, trails
from tests.integration.panel import url
from tests.integration.test_bars_pages import COPY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

CHART = "/admin/bars/chart/?symbol={}&timeframe={}&count={}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_trail_and_bars_are_readable_without_errors_or_sideways_scrolling(
    chromium: Browser, bars_target: TargetUrls, panel_url: str, width: int, scheme: str
) -> None:
    scene = panel.held()
    trails.tell("x" * 150, "refused.sign", "y" * 190, run=scene.run, detail={"reason": "z" * 400})
    trail_reading.read_when_due()
    dxy = "canonical_symbol = 'DXY' AND timeframe = '1m' AND ts_utc"
    with psycopg.connect(bars_target.app_url, autocommit=True) as conn:
        conn.execute(COPY.encode())
        wrong = "UPDATE data_bars SET close = close + 0.01 WHERE"
        conn.execute(f"{wrong} {dxy} = '2026-03-16 07:30+00'".encode())
        conn.execute(f"DELETE FROM data_bars WHERE {dxy} = '2026-03-16 07:40+00'".encode())
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type in {"error", "warning"} else None)
    log_in(page, panel_url, Role.AUDITOR)
    last = AuditEvent.objects.latest("seq").seq
    for address in (
        "/admin/migration_runs/auditevent/",
        "/admin/migration_runs/auditevent/?person=nobody",
        "/admin/migration_runs/auditevent/?since=2026-03-02T00:00&until=2026-03-01T00:00",
        f"/admin/migration_runs/auditevent/{last}/change/",
        url("audit", scene.run_id),
        "/admin/bars/",
        "/admin/bars/series/",
        CHART.format("DXY", "1m", 120),
        CHART.format("EURUSD", "1m", 480),
        CHART.format("EURUSD", "1h", 60),
    ):
        answer = page.goto(f"{panel_url}{address}")
        assert answer is not None
        assert answer.ok, address
        for opened in page.locator("details:not([open]) > summary").all()[:3]:
            opened.click()
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, f"{address} is {beyond} px too wide at {width}"
    assert errors == []
    context.close()
