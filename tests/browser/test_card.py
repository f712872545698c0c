"""The card on paper: exactly one A4 page, whatever the reader's colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from migration_runs.phases import Role
from tests.browser.crew import log_in
from tests.integration import panel
from tests.integration.panel import url

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_prints_on_exactly_one_page(page: Page, panel_url: str, scheme: str) -> None:
    scene = panel.shipped()
    for person in scene.people.values():  # as long as addresses are in most places
        person.email = f"{person.username}.of-the-migration-team@example.org"
        person.save()
    log_in(page, panel_url, Role.DBA)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{panel_url}{url('document', scene.run_id, 'card')}")
    assert not page.get_by_text("<span").count()
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1
    assert re.findall(rb"/MediaBox\s*\[0 0 (\d+)\.?\d* (\d+)\.?\d*\]", printed) == [(b"594", b"841")]
    words = page.locator("main").inner_text()
    for wanted in ("Roll back", "preflight", "dxy_1m", "Named in this run"):
        assert wanted.lower() in words.lower(), wanted
