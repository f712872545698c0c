"""What may be wrong with a page in a browser: axe's findings, errors on the console, sideways scrolling."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

WIDTHS = (1440, 390)
SCHEMES = ("light", "dark")
HEIGHT = 900
OPENED = 24
"""Folded parts that are opened on a page; the runbook of dxy_1m has a hundred files of SQL."""

POLICY = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "font-src": {"'self'"},
    "connect-src": {"'self'"},
    "form-action": {"'self'"},
    "frame-ancestors": {"'none'"},
    "base-uri": {"'none'"},
}
"""The content security policy that every page has, in this test's own words."""

RUN_AXE = """async (only) => {
    const found = await axe.run(document, {resultTypes: ["violations"], preload: false, ...only});
    return found.violations.flatMap(v => v.nodes.map(n => v.id + " (" + v.help + "): "
        + n.target.join(" ") + "\\n    " + n.html.slice(0, 300)
        + "\\n    " + (n.failureSummary || "").replaceAll("\\n", " ")));
}"""
"""Axe's rules, best practices included, or some of them, on the page as it is. The page's policy stays in
force: the browser's debugger evaluates the script, the page loads nothing. Without axe's preloading, which
would put styles into the page.
"""

ALL: dict[str, object] = {}
COLOURS: dict[str, object] = {"runOnly": ["color-contrast", "link-in-text-block"]}
"""Axe's rules about colours: all that another colour scheme can change."""

WITHOUT_COLOURS: dict[str, object] = {"rules": {"color-contrast": {"enabled": False}}}
"""For pages of thousands of elements, on which contrast takes a minute; a shorter page has the same parts."""

SETTLED = """() => {
    for (let chain = 0; chain < 10; chain++) {  // what a colour is inherited by changes gradually as well
        const moving = document.getAnimations().filter(one => one instanceof CSSTransition);
        if (!moving.length) return;
        moving.forEach(one => one.finish());
    }
}"""
"""What changes gradually becomes at once what it will be."""

WIDE = """() => {
    const inside = window.innerWidth;
    if (document.documentElement.scrollWidth <= inside) return [];
    return [...document.querySelectorAll("body *")]
        .filter(e => e.getBoundingClientRect().right > inside + 0.5 && !e.closest(".pg-scroll"))
        .slice(0, 5).map(e => e.outerHTML.slice(0, 200));
}"""


@contextmanager
def errors_of(page: Page, *, status: int = 200) -> Iterator[list[str]]:
    """Errors and warnings of the page's console from here on. That its document itself was answered with
    another status than 200 is none: a browser says so, and it is what the page is about.
    """
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))

    def heard(message: Any) -> None:
        own = status != 200 and message.location.get("url") == page.url and str(status) in message.text
        if message.type in {"error", "warning"} and not own:
            said.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", heard)
    yield said


def policy_of(header: str) -> dict[str, set[str]]:
    """A content security policy as it was sent: what each directive allows. Order means nothing in it."""
    words = [directive.split() for directive in header.split(";")]
    return {name: set(allowed) for name, *allowed in words}


def open_all(page: Page) -> None:
    """Unfold what can be unfolded, as far as it is not more of the same: what is hidden is not looked at."""
    page.evaluate(
        "most => [...document.querySelectorAll('details')].slice(0, most).forEach(one => one.open = true)",
        OPENED,
    )


def findings(page: Page, name: str = "", *, colours: bool = True) -> list[str]:
    """What axe finds, and what is wider than the window, in light and dark, on a desk and on a phone.

    The page is loaded once: colours and widths follow the browser's settings as they do for a person. With
    ``PHASEGATE_SHOTS`` in the environment a picture of each is kept in that directory.
    """
    found: list[str] = []
    shots = os.environ.get("PHASEGATE_SHOTS")
    page.evaluate(AXE_SCRIPT)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found += [f"wider than {width} px: {part}" for part in page.evaluate(WIDE)]
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.evaluate(SETTLED)
            if scheme == SCHEMES[0]:
                only = ALL if colours else WITHOUT_COLOURS
            elif colours:
                only = COLOURS
            else:
                continue
            found += [f"{scheme}, {width} px: {one}" for one in page.evaluate(RUN_AXE, only)]
            if shots:
                page.screenshot(path=f"{shots}/{name}-{width}-{scheme}.png", full_page=True)
    return found
