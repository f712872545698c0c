"""The run page in a browser: alive without a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import LogLine, StepRun
from migration_runs.phases import Role
from tests import runs as tables
from tests.browser.crew import log_in
from tests.control import Scene, control_plan
from tests.integration import panel, verified
from tests.integration.panel import url
from tests.processes import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_the_page_follows_a_worker_without_a_reload(
    page: Page, panel_url: str, processes: Processes, target: TargetUrls
) -> None:
    tables.make_tables(target.runner_url)
    scene = Scene.at_phase(2, control_plan())
    processes.start_worker()  # now, since it would take phases away from a scene that is still being built
    log_in(page, panel_url, Role.DBA)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    page.get_by_role("button", name="Start phase 2").dblclick()  # acts once
    page.wait_for_selector(".pg-strip")
    page.evaluate("window.loadedOnce = true")
    page.get_by_role("link", name="Sign phase 2 as dba…").wait_for()
    assert page.evaluate("window.loadedOnce") is True
    assert "2 To sign" in page.inner_text(".pg-strip")
    assert page.locator("#pg-log li").count() > 0
    assert scene.phase(2).attempt == 1


def test_what_a_person_typed_opened_and_filtered_outlives_the_polling(page: Page, panel_url: str) -> None:
    scene = panel.asking()
    for number in range(60):
        LogLine.objects.create(run=scene.run, phase=5, step="asked", level="info", text=f"line {number}")
    log_in(page, panel_url, Role.ENGINEER)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    page.locator("#step-5\\.1 summary").first.click()  # it was open: now it is closed
    page.get_by_label("Follow").uncheck()
    page.get_by_label("Filter log").fill("line 7")
    page.locator("#pg-log").evaluate("box => { box.scrollTop = 0; }")
    evidence = page.get_by_label("Evidence: a word")
    evidence.fill("https://ci.example.org/build")
    LogLine.objects.create(run=scene.run, phase=5, step="asked", level="info", text="line 777 is new")
    page.locator("#pg-log li", has_text="line 777 is new").wait_for(state="attached")
    page.wait_for_timeout(2500)
    assert evidence.input_value() == "https://ci.example.org/build"
    assert page.evaluate("document.activeElement.name") == "evidence"
    assert page.get_by_label("Filter log").input_value() == "line 7"
    assert page.locator("#step-5\\.1").evaluate("step => step.open") is False
    assert page.locator("#pg-log li:visible").all_inner_texts()[0].endswith("line 7")
    assert not page.get_by_label("Follow").is_checked()
    page.keyboard.type("/4711")
    page.keyboard.press("Enter")
    page.wait_for_selector(".messagelist")
    assert "Confirmed" in page.inner_text(".messagelist")


def test_progress_moves_while_the_page_is_open(page: Page, panel_url: str) -> None:
    scene = panel.started(2)
    step = StepRun.objects.filter(phase=scene.phase(2))
    step.update(state="running", done=100, total=1000, unit="rows", started_at=scene.phase(2).started_at)
    log_in(page, panel_url, Role.DBA)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    assert "10 %" in page.inner_text("#pg-live")
    step.update(done=640)
    page.locator(".pg-big", has_text="64 %").wait_for()
    assert page.locator("progress.pg-progress").first.get_attribute("value") == "640"


def test_the_verification_box_follows_a_pass_to_its_end(
    page: Page, panel_url: str, target: TargetUrls, project_env: dict[str, str]
) -> None:
    scene = verified.copied(target, verified.NAP, rows=250_000)
    log_in(page, panel_url, Role.DBA)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    box = page.locator("#verification")
    assert "No pass yet" in box.inner_text()
    page.evaluate("window.loadedOnce = true")
    with verified.comparing(scene, project_env) as process:
        box.get_by_text("Comparing").wait_for()
        assert "bucket" in box.inner_text()
        process.wait(verified.GIVE_UP_S)
    box.get_by_text("Equal").wait_for()
    assert "250,000 old, 250,000 new rows" in box.inner_text()
    verified.damage(target, verified.ALTERED)
    with verified.comparing(scene, project_env) as process:
        process.wait(verified.GIVE_UP_S)
    box.get_by_text("Not equal").wait_for()
    box.get_by_role("link", name="1 row with both values").click()
    rows = page.locator("#differences")
    assert "body 7" in rows.inner_text()
    assert "other" in rows.inner_text()
    assert page.evaluate("window.loadedOnce") is True


def test_long_keys_and_values_that_differ_do_not_widen_a_phone(
    chromium: Browser, panel_url: str, target: TargetUrls
) -> None:
    scene = verified.differing(target)
    context = chromium.new_context(viewport={"width": 390, "height": 900})
    phone = context.new_page()
    log_in(phone, panel_url, Role.ONCALL)
    for tab in ("change", "monitoring"):
        phone.goto(f"{panel_url}{url(tab, scene.run_id)}")
        assert phone.locator("#differences").count() == 1
        beyond = phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, f"{tab} is {beyond} px too wide"
        out = phone.evaluate(
            "() => [...document.querySelectorAll('#differences *, #verification *')].filter("
            "e => e.getBoundingClientRect().right > 390 && !e.closest('.pg-vh')).map(e => e.outerHTML)"
        )
        assert out == []
    context.close()


def test_the_page_says_when_the_panel_is_gone_or_the_person_logged_out(
    page: Page, panel_url: str, processes: Processes
) -> None:
    scene = panel.started(2)
    log_in(page, panel_url, Role.DBA)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")
    page.context.clear_cookies()
    page.get_by_text("You are logged out.").wait_for()
    assert "dora started small-1" in page.inner_text("#pg-live")  # the last picture stays
    processes.stop()
    page.get_by_text("The panel does not answer.").wait_for()
    assert "dora started small-1" in page.inner_text("#pg-live")


def test_a_poll_asks_with_the_stamp_of_what_was_drawn_last(page: Page, panel_url: str) -> None:
    scene = panel.to_sign()
    log_in(page, panel_url, Role.DBA)
    page.goto(f"{panel_url}{url('change', scene.run_id)}")

    def asked(status: int) -> str:
        """The stamp of the next poll that is answered so."""
        with page.expect_response(lambda one: "/live/?seen=" in one.url and one.status == status) as answer:
            pass
        return str(answer.value.url)

    first = asked(204)  # nothing has happened: nothing comes
    LogLine.objects.create(run=scene.run, phase=2, step="", level="info", text="something happened")
    page.locator("#pg-log li", has_text="something happened").wait_for(state="attached")
    assert asked(204) != first  # with the new stamp there is nothing new again
