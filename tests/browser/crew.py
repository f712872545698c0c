"""Six people, each with a browser of their own, who drive a run by clicking alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from migration_runs import phases
from migration_runs.phases import Role
from tests.control import NAMES, PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

GIVE_UP_S = 900.0
"""No promise of speed: only so that a run that stands still fails the test instead of hanging it."""

LOOK_S = 0.5
SIGN_TOO = {7: (Role.ENGINEER,), 9: (Role.APPROVER,)}
"""Who signs a phase of dxy_1m beside its owner."""

EVIDENCE = "build 4711"


def log_in(page: Page, panel_url: str, role: Role) -> None:
    """Log in as the person of a role, by the keyboard."""
    page.goto(f"{panel_url}/admin/login/")
    page.get_by_label("Username").fill(NAMES[role])
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{panel_url}/admin/")


@dataclass
class Crew:
    """The people of one run. Each method is what one of them does with the mouse; ``deploy`` is not theirs.

    Pages stay open and follow the run by themselves: nothing is reloaded in order to see what has happened.
    """

    url: str
    pages: dict[Role, Page]
    deploy: Callable[[str], None]
    run_path: str = ""
    asked: tuple[Role, ...] = ()
    holds: int = 0

    @classmethod
    def of(cls, browser: Browser, panel_url: str, deploy: Callable[[str], None]) -> Crew:
        """Six browsers; everybody logs in."""
        pages = {role: browser.new_context().new_page() for role in Role}
        for role, page in pages.items():
            page.set_default_timeout(GIVE_UP_S * 1000)
            log_in(page, panel_url, role)
        return cls(panel_url, pages, deploy)

    def leave(self) -> None:
        """Close the browsers."""
        for page in self.pages.values():
            page.context.close()

    # -- what each of them does

    def write(self, *, runbook: str, clock_speed: float) -> None:
        """The dba writes the run and submits it."""
        page = self.pages[Role.DBA]
        page.get_by_role("link", name="Runs", exact=True).click()
        page.get_by_role("link", name=re.compile("new run", re.IGNORECASE)).first.click()
        page.get_by_label("Runbook").select_option(runbook)
        page.get_by_label("Target").select_option("bars")
        page.get_by_label("Data decision").select_option("delete")
        page.get_by_label("Clock speed").fill(f"{clock_speed:g}")
        press(page, page.get_by_role("button", name="Make the draft"))
        self.run_path = urlsplit(page.url).path
        press(page, page.get_by_role("button", name="Submit for approval"))
        self.said(Role.DBA, "Submitted: the approvers are asked.")

    def approve(self) -> None:
        """The approver reads the plan and signs it; whoever is asked ticks the lists before the start."""
        page = self.on_run(Role.APPROVER)
        press(page, page.get_by_role("link", name="Read the plan").first)
        page.get_by_label("I have read the steps without an undo and the data decision").check()
        page.get_by_label("Your password").fill(PASSWORD)
        press(page, page.get_by_role("button", name=re.compile("^Sign plan")))
        self.said(Role.APPROVER, "Signed.")
        for role in (Role.APPROVER, Role.ENGINEER, Role.DEVOPS, Role.DBA, Role.ONCALL):
            page = self.on_run(role)
            press(page, page.get_by_role("link", name="Readiness", exact=True))
            ticks = page.get_by_role("button", name="Tick", exact=True)
            while ticks.count():
                press(page, ticks.first)

    def through(self, number: int) -> None:
        """Start a phase as its owner, answer what it asks, and sign it as everybody who has to."""
        fixed = phases.by_number(number)
        owner = Role(fixed.owner)
        if fixed.start_sign_off:
            self.sign(Role.APPROVER, f"Approve the start of phase {number} as approver")
        self.start(owner, number)
        self.asked = (owner,)
        signs = re.compile(f"^Sign phase {number} as ")
        self.until(lambda: self.offered(owner, signs))
        for role in (owner, *SIGN_TOO.get(number, ())):
            self.sign(role, f"Sign phase {number} as {role.value}")

    def start(self, role: Role, number: int) -> None:
        """Press the start; where it wants the password, give it."""
        page = self.on_run(role)
        starts = re.compile(f"^Start phase {number}")
        chosen = page.get_by_role("link", name=starts).or_(page.get_by_role("button", name=starts)).first
        press(page, chosen)
        if page.get_by_label("Your password").count():
            page.get_by_label("Your password").fill(PASSWORD)
            press(page, page.get_by_role("button", name="Start", exact=True))
        self.said(role, "Started: a worker begins with the first step.")

    def sign(self, role: Role, name: str) -> None:
        """Read, comment, give the password, sign."""
        page = self.on_run(role)
        press(page, page.get_by_role("link", name=name).first)
        page.get_by_label("Comment").fill("Read what the steps found.")
        page.get_by_label("Your password").fill(PASSWORD)
        press(page, page.get_by_role("button", name="Sign", exact=True))
        self.said(role, "Signed.")

    def roll_back(self) -> None:
        """The on-call person reads what would be undone, types the run's name, and rolls back."""
        page = self.on_run(Role.ONCALL)
        press(page, page.get_by_role("link", name="Roll back…").first)
        name = page.locator("#rf-h").inner_text().removeprefix("Roll back ")
        page.get_by_label("Why").fill("The readers are slow.")
        page.get_by_label("Type the run's name").fill(name)
        page.get_by_label("Your password").fill(PASSWORD)
        press(page, page.get_by_role("button", name="Roll back", exact=True))
        self.said(Role.ONCALL, "Rolling back")
        over = self.pages[Role.ONCALL].get_by_role("heading", name="Rolled back", exact=True)
        self.asked = (Role.ENGINEER, Role.DEVOPS)
        self.until(lambda: over.count() > 0)

    # -- what they see

    def on_run(self, role: Role) -> Page:
        """The person's page, on the run: by its link if it is elsewhere, not touched if it is there."""
        page = self.pages[role]
        if urlsplit(page.url).path != self.run_path:
            page.goto(f"{self.url}{self.run_path}")
        return page

    def offered(self, role: Role, name: re.Pattern[str]) -> bool:
        """Whether the person's page offers this link now."""
        return self.on_run(role).get_by_role("link", name=name).count() > 0

    def answer(self) -> None:
        """Give the evidence that somebody is asked for, or resume a run that a missed check holds."""
        for role in self.asked:
            page = self.on_run(role)
            confirm = page.get_by_role("button", name="Confirm", exact=True)
            if confirm.count():
                if role == Role.DEVOPS:
                    undoing = page.get_by_role("heading", name=re.compile("^Undoing")).count()
                    self.deploy("legacy" if undoing else "migrated")
                page.get_by_label(re.compile("^Evidence")).fill(EVIDENCE)
                press(page, confirm)
                self.said(role, "Confirmed")
        page = self.on_run(Role.ONCALL)
        resume = page.get_by_role("link", name="Resume…")
        if resume.count():
            self.holds += 1
            press(page, resume.first)
            press(page, page.get_by_role("button", name="Resume", exact=True))
            self.said(Role.ONCALL, "Resumed.")

    def said(self, role: Role, words: str) -> None:
        """The panel's answer to what the person did."""
        page = self.pages[role]
        heard = page.locator(".messagelist, [role=alert]").all_inner_texts()
        assert any(words in one for one in heard), (page.url, heard)

    def until(self, reached: Callable[[], bool]) -> None:
        """Look, and answer what somebody is asked, until it is so."""
        ends = time.monotonic() + GIVE_UP_S
        while not reached():
            assert time.monotonic() < ends, self.on_run(Role.AUDITOR).inner_text("main")
            self.answer()
            self.pages[Role.DBA].wait_for_timeout(LOOK_S * 1000)


def press(page: Page, what: Locator) -> None:
    """Click something that leads to another page, and wait for that."""
    with page.expect_navigation():
        what.click()
