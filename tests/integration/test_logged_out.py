"""A form that is sent after the session has ended: nothing is done, and the log-in leads back to its page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from controlpanel.logged_out import SAID
from migration_runs.phases import Role
from tests.control import NAMES, PASSWORD
from tests.integration import panel
from tests.integration.panel import url

pytestmark = pytest.mark.usefixtures("control_db", "broker")

HOST = "http://testserver"


def test_the_log_in_leads_back_to_the_page_of_the_form_and_says_that_nothing_was_done() -> None:
    scene = panel.asking()
    here = url("change", scene.run_id)
    client = Client()
    sent = client.post(
        url("confirm", scene.run_id, 5, "asked"), {"evidence": "build 4711"}, headers={"Referer": HOST + here}
    )
    assert sent.status_code == 302
    assert sent.headers["Location"] == f"{reverse('admin:login')}?next={here}"
    shown = client.get(sent.headers["Location"])
    assert SAID in shown.content.decode()
    form = {"username": NAMES[Role.ENGINEER], "password": PASSWORD, "next": here}
    assert client.post(sent.headers["Location"], form).headers["Location"] == here
    assert scene.phase(5).state == "running"


def test_the_query_of_the_page_comes_back_with_it() -> None:
    scene = panel.to_sign()
    here = url("act", scene.run_id, "sign") + "?gate=phase:2&role=dba"
    sent = Client().post(here, {"comment": "read"}, headers={"Referer": HOST + here})
    shown = Client().get(sent.headers["Location"])
    assert f'name="next" value="{here.replace("&", "&amp;")}"' in shown.content.decode()


@pytest.mark.parametrize("told", ["", "https://elsewhere.example.org/admin/", "//elsewhere.example.org/x"])
def test_a_page_elsewhere_is_not_returned_to(told: str) -> None:
    scene = panel.asking()
    address = url("confirm", scene.run_id, 5, "asked")
    sent = Client().post(address, headers={"Referer": told} if told else {})
    assert sent.headers["Location"] == f"{reverse('admin:login')}?next={address}"


def test_who_is_logged_in_or_only_looks_is_left_alone() -> None:
    scene = panel.asking()
    here = url("change", scene.run_id)
    looked = Client().get(here)
    assert looked.headers["Location"] == f"{reverse('admin:login')}?next={here}"
    client = Client()
    client.force_login(scene.people[Role.ENGINEER])
    done = client.post(
        url("confirm", scene.run_id, 5, "asked"), {"evidence": "build 4711"}, headers={"Referer": HOST + here}
    )
    assert done.headers["Location"] == here
    assert SAID not in client.get(here).content.decode()
