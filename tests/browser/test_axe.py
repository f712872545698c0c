"""Every page, in light and dark, on a desk and on a phone: axe finds nothing, the console says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import sight
from tests.browser.shown import Place, Shown, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext

    from tests.browser.shown import Who

pytestmark = pytest.mark.browser

PLACES = places()


@pytest.fixture(scope="module")
def context_of(chromium: Browser, shown: Shown) -> Iterator[Callable[[Who], BrowserContext]]:
    """``context_of(who)``: a browser in which this person has logged in."""
    contexts: dict[Who, BrowserContext] = {}

    def get(who: Who) -> BrowserContext:
        if who not in contexts:
            contexts[who] = chromium.new_context(viewport={"width": 1440, "height": sight.HEIGHT})
            if who is not None:
                contexts[who].add_cookies(
                    [{"name": "sessionid", "value": shown.session(who), "url": shown.url}]
                )
        return contexts[who]

    yield get
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize("name", PLACES)
def test_a_page_is_accessible_quiet_and_no_wider_than_its_window(
    shown: Shown, context_of: Callable[[Who], BrowserContext], name: str
) -> None:
    place: Place = PLACES[name]
    page = context_of(place.who).new_page()
    with sight.errors_of(page, status=place.status) as errors:
        answer = page.goto(shown.url + place.address(shown))
        assert answer is not None
        assert answer.status == place.status
        assert sight.policy_of(answer.headers["content-security-policy"]) == sight.POLICY
        sight.open_all(page)
        found = sight.findings(page, name, colours=place.colours)
    page.close()
    assert not found, "\n".join(found)
    assert not errors, "\n".join(errors)
