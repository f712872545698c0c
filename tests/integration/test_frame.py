"""What every page has around it: navigation, log-in and log-out, times, the list of runs, the style page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_runs.admin import style_page
from migration_runs.phases import Role
from migration_runs.templatetags import phasegate
from migration_runs.templatetags.state_looks import STATES
from tests.control import PASSWORD, make_people, make_person
from tests.integration import panel
from tests.integration.reading import client_of, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")

RUNS = reverse("admin:migration_runs_run_changelist")
STYLE = reverse("admin:migration_runs_run_style")


def places(page: str) -> dict[str, str]:
    """Titles of the navigation's links, with what marks each."""
    nav = page.partition('class="pg-places"')[2].partition("</nav>")[0]
    found = re.findall(r'<a\s+href="[^"]+"(?: aria-current="(\w+)")?\s*>([^<]+)</a>', nav)
    return {title: current for current, title in found}


# -- navigation


def test_every_page_has_the_places_and_marks_the_one_that_is_shown() -> None:
    scene = panel.to_sign()
    client = client_of(scene.people[Role.DBA])
    assert places(client.get("/admin/").content.decode())["Start"] == "page"
    listed = places(client.get(RUNS).content.decode())
    assert (listed["Start"], listed["Runs"]) == ("", "page")
    for address in (panel.url("change", scene.run_id), panel.url("rollback", scene.run_id)):
        shown = places(client.get(address).content.decode())
        assert (shown["Start"], shown["Runs"]) == ("", "true")
    trail = places(client.get(reverse("admin:migration_runs_auditevent_changelist")).content.decode())
    assert trail["Audit"] == "page"


def test_places_end_where_permission_does() -> None:
    make_people()
    dba = places(client_of(User.objects.get(username="dora")).get("/admin/").content.decode())
    assert "Accounts" not in dba
    root = places(client_of(make_person("root", superuser=True)).get("/admin/").content.decode())
    assert {"Start", "Runs", "Audit", "Notifications", "Accounts"} <= root.keys()
    nobody = places(client_of(make_person("nora")).get("/admin/").content.decode())
    assert "Runs" not in nobody
    assert places(Client().get("/admin/login/").content.decode()) == {}


def test_the_lists_of_an_app_are_in_the_panels_look() -> None:
    root = client_of(make_person("root", superuser=True))
    page = root.get(reverse("admin:app_list", args=["auth"])).content.decode()
    assert 'class="pg-panel' in page
    assert reverse("admin:auth_user_add") in page


# -- in front of the panel


def test_logging_in_says_what_is_wrong_and_comes_back_to_where_one_wanted_to_go() -> None:
    make_people()
    client = Client()
    address = f"/admin/login/?next={RUNS}"
    wrong = client.post(address, {"username": "dora", "password": "wrong", "next": RUNS})
    assert "do not go together" in text_of(wrong)
    assert 'role="alert"' in wrong.content.decode()
    right = client.post(address, {"username": "dora", "password": PASSWORD, "next": RUNS})
    assert right.headers["Location"] == RUNS


def test_logging_out_is_a_page_of_our_own() -> None:
    six = make_people()
    shown = text_of(client_of(six[Role.DBA]).post("/admin/logout/"))
    assert "You are logged out" in shown
    assert "quality time" not in shown


def test_a_password_is_changed_and_errors_stand_at_their_field() -> None:
    six = make_people()
    client = client_of(six[Role.DBA])
    form = {"old_password": "wrong", "new_password1": "short", "new_password2": "short"}
    refused = client.post("/admin/password_change/", form)
    assert "old password was entered incorrectly" in text_of(refused)
    assert "too short" in text_of(refused)
    new = "another long password of a test"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert "was changed" in text_of(client.post("/admin/password_change/", form, follow=True))
    assert User.objects.get(username="dora").check_password(new)


# -- times


def test_a_moment_is_utc_with_its_machine_form() -> None:
    moment = datetime(2026, 3, 5, 18, 48, 31, tzinfo=UTC)
    assert phasegate.utc(moment, "time") == (
        '<time datetime="2026-03-05T18:48:31+00:00" title="Thu 05 Mar 2026, 18:48:31 UTC">18:48:31</time>'
    )


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=14), "14 s ago"),
        (timedelta(seconds=119), "119 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=2, minutes=5), "2 h 05 min ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=6, hours=3), "6 days ago"),
    ],
)
def test_how_long_ago_is_a_second_reading_that_can_go_on(age: timedelta, words: str) -> None:
    shown = str(phasegate.ago(timezone.now() - age))
    assert shown.endswith(f">{words}</time>")
    assert f'data-age="{age.total_seconds():.0f}"' in shown


# -- the list of runs


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"failed", "draft", "cancelled", "held"}),
        ("standing=open", {"failed", "draft", "held"}),
        ("standing=going", {"failed", "held"}),
        ("standing=trouble", {"failed", "held"}),
        ("standing=over", {"cancelled"}),
        ("whose=author", {"failed", "draft", "cancelled", "held"}),
        ("whose=named", {"failed", "draft", "cancelled", "held"}),
        ("state=on_hold", {"held"}),
        ("state=cancelled&standing=open", set()),
        ("standing=nonsense", {"failed", "draft", "cancelled", "held"}),
        ("q=lag", {"held"}),
        ("q=nothing+like+it", set()),
    ],
)
def test_runs_are_found_by_words(query: str, wanted: set[str]) -> None:
    scenes = {
        "failed": panel.failed(),
        "draft": panel.draft(),
        "cancelled": panel.cancelled(),
        "held": panel.held(),
    }
    page = client_of(scenes["draft"].people[Role.DBA]).get(f"{RUNS}?{query}")
    found = {
        name for name, scene in scenes.items() if panel.url("change", scene.run_id) in page.content.decode()
    }
    assert found == wanted
    if not wanted:
        assert "No run fits" in text_of(page)


def test_a_run_is_found_by_its_number_and_by_its_name() -> None:
    first, second = panel.draft(), panel.draft()
    client = client_of(first.people[Role.DBA])
    for asked in (str(second.run_id), second.run.name):
        page = client.get(RUNS, {"q": asked}).content.decode()
        assert panel.url("change", second.run_id) in page
        assert panel.url("change", first.run_id) not in page


def test_filters_say_states_in_words() -> None:
    shown = text_of(client_of(panel.draft().people[Role.DBA]).get(RUNS))
    for words in ("On hold", "Awaiting approval", "In trouble", "I am named in", "By runbook"):
        assert words in shown
    assert "awaiting_approval" not in shown


def test_an_empty_list_leads_on() -> None:
    six = make_people()
    assert "Write the first one" in text_of(client_of(six[Role.DBA]).get(RUNS))
    assert "when somebody writes one" in text_of(client_of(six[Role.ONCALL]).get(RUNS))


# -- the style page


def test_the_style_page_is_there_in_the_demo_and_while_debugging_alone(settings: Settings) -> None:
    client = client_of(make_people()[Role.DBA])
    settings.DEBUG = settings.PHASEGATE_DEMO = False
    assert client.get(STYLE).status_code == 404
    assert "Style" not in text_of(client.get("/admin/"))
    settings.PHASEGATE_DEMO = True
    assert client.get(STYLE).status_code == 200
    assert STYLE in client.get("/admin/").content.decode()
    settings.DEBUG, settings.PHASEGATE_DEMO = True, False
    assert client.get(STYLE).status_code == 200


def test_the_style_page_shows_every_state_and_acts_on_nothing(settings: Settings) -> None:
    settings.PHASEGATE_DEMO = True
    page = client_of(make_people()[Role.DBA]).get(STYLE).content.decode()
    for state in STATES:
        assert str(phasegate.badge(state)) in page
        assert str(phasegate.inline_state(state)) in page
    for kind in (*style_page.TONES, "pg-tile", "pg-plot", "pg-meter", "pg-log", "pg-note is-bad", "pg-empty"):
        assert kind in page
    for part in (
        "Chain broken",
        "Window 2",
        "Shift handover",
        "Age of the newest bar",
        "Candles",
        "4_backfill/copy",
    ):
        assert part in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    shown = page.partition("data-style-page")[2]
    assert 'method="post"' not in shown
    assert "style=" not in page


def test_ids_are_used_once_on_the_start_page() -> None:
    scene = panel.STATES["approved"]()
    page = client_of(scene.people[Role.DBA]).get("/admin/").content.decode()
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_ago_in_a_template_is_not_escaped() -> None:
    shown = Template("{% load phasegate %}{{ at|ago }}").render(Context({"at": timezone.now()}))
    assert shown.startswith('<time class="pg-ago"')
