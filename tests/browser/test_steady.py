"""Nothing on a page moves because something else on it was polled: the browser's own measure of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from migration_runs.models import LogLine, StepRun
from migration_runs.phases import Role
from tests.browser.crew import log_in
from tests.control import Scene
from tests.integration import panel
from tests.integration.panel import url

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

WATCH = """
window.shifts = [];
new PerformanceObserver(list => list.getEntries().forEach(one => window.shifts.push(
    one.value.toFixed(4) + " " + one.sources.map(s => s.node?.outerHTML?.slice(0, 120) ?? "gone").join(" | ")
))).observe({type: "layout-shift", buffered: true});
"""
"""Keeps each layout shift, https://wicg.github.io/layout-instability: its score and what moved."""

WIDTHS = (1440, 390)

OWN_LINE = 0.001
"""A figure that grows by a digit moves within its own line: a ten-thousandth of the window. Whatever pushes a
line down scores far more.
"""


def shifts(page: Page) -> list[str]:
    """What has moved since this was asked last."""
    page.wait_for_timeout(300)  # a shift is told with the frame after it
    found: list[str] = page.evaluate("window.shifts.splice(0)")
    return [one for one in found if float(one.split()[0]) >= OWN_LINE]


def copying() -> tuple[Scene, Any]:
    """A run whose phase 2 is at work, and its step."""
    scene = panel.started(2)
    step = StepRun.objects.filter(phase=scene.phase(2))
    step.update(state="running", done=98, total=1_000_000, unit="rows", started_at=scene.phase(2).started_at)
    return scene, step


@pytest.mark.parametrize("width", WIDTHS)
def test_progress_and_log_lines_move_nothing_else(chromium: Browser, panel_url: str, width: int) -> None:
    scene, step = copying()
    for number in range(30):
        LogLine.objects.create(run=scene.run, phase=2, step="holds", level="info", text=f"line {number}")
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    log_in(page, panel_url, Role.DBA)
    page.add_init_script(WATCH)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    page.locator("#pg-log li", has_text="line 29").wait_for(state="attached")
    shifts(page)
    for done in (9_999, 123_456, 999_999):
        step.update(done=done)
        LogLine.objects.create(run=scene.run, phase=2, step="holds", level="info", text=f"at {done}")
        page.locator("#pg-log li", has_text=f"at {done}").wait_for(state="attached")
    assert shifts(page) == []
    # the measure sees a jump: what stands below goes down
    page.evaluate("document.querySelector('#pg-live').prepend(document.createElement('h1'))")
    page.evaluate("document.querySelector('#pg-live h1').textContent = 'in between'")
    assert shifts(page) != []
    page.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_start_page_stands_still_while_runs_go_on(chromium: Browser, panel_url: str, width: int) -> None:
    scene, step = copying()
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    log_in(page, panel_url, Role.DBA)
    page.add_init_script(WATCH)
    page.goto(f"{panel_url}/admin/")
    page.get_by_text(scene.run.name).first.wait_for()
    shifts(page)
    for done in (9_999, 123_456, 999_999):
        step.update(done=done)
        page.get_by_text(f"{done:,} of 1,000,000 rows").first.wait_for()
    assert shifts(page) == []
    page.context.close()
