"""What hands do with the panel: the keyboard alone, a double click, a session that ends in the middle."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session

from migration_runs.models import AuditEvent, SignOff
from migration_runs.phases import Role
from tests.browser.crew import log_in, press
from tests.control import NAMES, PASSWORD
from tests.integration import panel
from tests.integration.panel import url

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

COMMENT = "Read what the steps found."
TABS_AT_MOST = 120


def tab_to(page: Page, wanted: str) -> None:
    """Press the tab key until what has this id, or begins with this text, has the focus, and shows it."""
    for _ in range(TABS_AT_MOST):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.id, e.innerText || '', s.outlineStyle, s.boxShadow]; }"
        )
        if focused[0] == wanted or focused[1].strip().startswith(wanted):
            assert focused[2] != "none" or focused[3] != "none", f"no focus ring on {wanted}"
            return
    pytest.fail(f"the tab key never reaches {wanted!r}")


def test_a_phase_is_signed_with_the_keyboard_alone_from_the_log_in_on(page: Page, panel_url: str) -> None:
    scene = panel.to_sign()
    page.goto(panel_url)
    tab_to(page, "id_username")
    page.keyboard.type(NAMES[Role.DBA])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    tab_to(page, "Read and sign")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    if "/act/sign/" not in page.url:
        tab_to(page, "Sign phase 2 as dba…")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    tab_to(page, "id_comment")
    page.keyboard.type(COMMENT)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "Signed." in page.inner_text(".messagelist")
    assert scene.phase(2).state == "done"
    given = SignOff.objects.get(run=scene.run, gate="phase:2")
    assert (given.person.username, given.comment) == (NAMES[Role.DBA], COMMENT)


def test_a_double_click_acts_once(page: Page, panel_url: str) -> None:
    scene = panel.to_sign()
    log_in(page, panel_url, Role.DBA)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    page.get_by_role("link", name="Sign phase 2 as dba…").first.click()
    page.get_by_label("Your password").fill(PASSWORD)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign", exact=True).dblclick(delay=20)
    page.wait_for_url(f"**{url('change', scene.run_id)}")
    assert page.locator(".messagelist li").all_inner_texts() == ["Signed."]
    assert SignOff.objects.filter(run=scene.run, gate="phase:2").count() == 1
    assert not AuditEvent.objects.filter(run=scene.run, action__startswith="refused.").exists()


def test_a_session_that_ends_in_the_middle_loses_nothing(page: Page, panel_url: str) -> None:
    scene = panel.asking()
    here = url("change", scene.run_id)
    log_in(page, panel_url, Role.ENGINEER)
    page.goto(f"{panel_url}{here}")
    page.get_by_label(re.compile("^Evidence")).fill("build 4711")
    Session.objects.all().delete()
    page.get_by_text("You are logged out.").wait_for()
    assert page.get_by_label(re.compile("^Evidence")).input_value() == "build 4711"
    press(page, page.get_by_role("button", name="Confirm"))
    assert "what you sent was not done" in page.inner_text(".messagelist")
    page.get_by_label("Username").fill(NAMES[Role.ENGINEER])
    page.get_by_label("Password").fill(PASSWORD)
    press(page, page.get_by_role("button", name="Log in"))
    assert page.url == f"{panel_url}{here}"
    assert scene.phase(5).state == "running"
    page.get_by_label(re.compile("^Evidence")).fill("build 4711")
    press(page, page.get_by_role("button", name="Confirm"))
    assert "Confirmed" in page.inner_text(".messagelist")
