"""What every page of the panel has, whoever made it."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls
from tests.processes import CHECKOUT, Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.mark.django_db
def test_the_content_security_policy_is_exactly_the_strict_one() -> None:
    given = Client().get("/admin/login/").headers["Content-Security-Policy"]
    assert {part.strip() for part in given.split(";")} == {part.strip() for part in CSP.split(";")}


@pytest.mark.django_db
def test_pages_cannot_be_framed_and_say_nothing_to_other_sites() -> None:
    headers = Client().get("/admin/login/").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_the_root_leads_to_the_panel() -> None:
    assert Client().get("/").headers["Location"] == "/admin/"


@pytest.mark.django_db
def test_health_is_asked_by_get_alone() -> None:
    assert Client().get("/healthz").status_code == 200
    assert Client().post("/healthz").status_code == 405


@pytest.mark.faults
def test_health_follows_the_control_database(
    cluster: embedded.Cluster, control_db: ControlUrls, panel_url: str
) -> None:
    assert _get(f"{panel_url}/healthz")[0] == 200
    cluster.crash_postgres()
    try:
        status, text = _get(f"{panel_url}/healthz")
        assert status == 503
        assert control_db.dbname not in text
    finally:
        cluster.start_postgres()
    assert _get(f"{panel_url}/healthz") == (200, "ok\n")


def _get(url: str, host: str = "localhost") -> tuple[int, str]:
    """Status, and text or the address of a redirection."""
    opener = urllib.request.build_opener(_AsItIs)
    with opener.open(urllib.request.Request(url, headers={"Host": host})) as answer:
        return answer.status, answer.headers.get("Location") or answer.read().decode()


class _AsItIs(urllib.request.HTTPErrorProcessor):
    def http_response(self, request, response):  # type: ignore[no-untyped-def]
        return response


def test_production_sends_browsers_to_tls_but_answers_health_checks(processes: Processes) -> None:
    port = embedded.free_port()
    del processes.env["PHASEGATE_DEMO"]
    processes.env |= {"PORT": str(port), "ALLOWED_HOSTS": "panel.example.org"}
    processes.start_web(port)
    probe = subprocess.run(
        [sys.executable, "-m", "controlpanel.probe"],
        cwd=CHECKOUT,
        env=processes.env,
        check=False,
        capture_output=True,
    )
    assert probe.returncode == 0, probe.stderr
    redirected = _get(f"http://127.0.0.1:{port}/admin/", host="panel.example.org")
    assert redirected == (301, "https://panel.example.org/admin/")


@pytest.mark.browser
def test_the_login_page_works_in_a_browser_under_the_policy(page: Page, panel_url: str) -> None:
    page.goto(f"{panel_url}/")
    assert page.url.startswith(f"{panel_url}/admin/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    assert "do not go together" in page.inner_text(".errornote")
    # Styles were applied, so the policy lets the panel's own files through.
    assert page.evaluate("getComputedStyle(document.querySelector('#header')).display") == "flex"
