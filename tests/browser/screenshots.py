"""Pictures of the panel for the documentation, taken of a run that is really driven: ``make screenshots``.

A panel of its own with the demo's people, real workers and the live feed; its market runs 720 times as fast
as the real one. Pages are seen by the person whom they concern. No test: it fails where a page is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controlpanel.demo import driver, headless, people
from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import DueCheck
from migration_runs.phases import Role
from migration_runs.services import plans
from tests.browser import living
from tests.integration.panel import url
from tests.processes import CHECKOUT, Processes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = CHECKOUT / "docs" / "images"
PASSWORD = "a long password for pictures"
SPEED = 720.0
DESK, PHONE = (1440, 1000), (390, 844)
ROUNDS = 16
"""Hours of the window that are over when its pages are pictured: enough for charts, some still to come."""


@dataclass
class Camera:
    """Takes pictures; each person has a browser of their own."""

    browser: Browser
    url: str
    pages: dict[tuple[Role, str], Page] = field(default_factory=dict)

    def take(
        self,
        name: str,
        address: str,
        role: Role,
        *,
        size: tuple[int, int] = DESK,
        scheme: str = "light",
    ) -> None:
        """A picture of the top of a page, as the person of a role sees it."""
        page = self._page(role, scheme)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        answer = page.goto(f"{self.url}{address}")
        assert answer is not None
        assert answer.ok, address
        page.evaluate("document.fonts.ready")
        page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
        page.goto("about:blank")  # it does not poll while nobody looks

    def _page(self, role: Role, scheme: str) -> Page:
        if (role, scheme) not in self.pages:
            context = self.browser.new_context(color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
            page = self.pages[role, scheme] = context.new_page()
            page.goto(f"{self.url}/admin/login/")
            page.get_by_label("Username").fill(people.username(role))
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_url(f"{self.url}/admin/")
        return self.pages[role, scheme]


@pytest.fixture
def camera(chromium: Browser, bars_target: TargetUrls, processes: Processes, tmp_path: Path) -> Camera:
    """A panel whose target lives, with the demo's people."""
    people.ensure_people(PASSWORD)
    url = living.start(processes, bars_target, journal=tmp_path / "journal.jsonl", speed=SPEED)
    return Camera(chromium, url)


def test_pictures_of_a_run(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drive a run of dxy_1m as its six people, and take each picture when its page has something to show."""
    monkeypatch.setattr(driver, "HOW", "web")  # the trail shows what people would have done in the panel
    run = plans.create_run(
        runbook_slug="dxy_1m", target="bars", data_decision="delete", clock_speed=SPEED,
        author=headless.people_user(Role.DBA), how="web",
    )  # fmt: skip
    taken: set[str] = set()

    def look() -> None:
        """Whatever can be pictured only while a phase is being worked on."""
        done = DueCheck.objects.filter(window__run=run, finished_at__isnull=False)
        if "window" not in taken and done.order_by().values("round").distinct().count() >= ROUNDS:
            taken.add("window")
            _window(camera, run.pk)

    crew = driver.Driver(
        run.pk,
        password=PASSWORD,
        deploy=lambda version: headless.deploy("bars", version, print),
        watch=look,
        say=print,
    )
    crew.submit()
    camera.take("start", "/admin/", Role.APPROVER)
    camera.take("plan", url("plan", run.pk), Role.APPROVER)
    crew.until_approved()
    for number in range(1, 10):
        crew.through_phase(number)
        if number == 4:
            camera.take("bars", "/admin/bars/chart/?symbol=EURUSD&timeframe=1m&count=120", Role.AUDITOR)
    camera.take("documents", url("documents", run.pk), Role.AUDITOR)
    camera.take("card", url("document", run.pk, "card"), Role.ONCALL)
    camera.take("audit", url("audit", run.pk) + "?action=sign_off.approve", Role.AUDITOR)
    assert taken == {"window"}


def _window(camera: Camera, run_id: int) -> None:
    """The pages of a window that has not much to go."""
    camera.take("run", url("change", run_id), Role.ONCALL)
    camera.take("run-phone", url("change", run_id), Role.ONCALL, size=PHONE, scheme="dark")
    camera.take("monitoring", url("monitoring", run_id), Role.ONCALL)
    camera.take("rollback", url("rollback", run_id), Role.ONCALL)
    camera.take("handover", url("handover", run_id), Role.ONCALL)
