"""The pages of the audit trail: who may look, filters, page by page, and each event at its own address."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from controlpanel.embedded_databases import ControlUrls
from migration_runs.models import AuditEvent
from migration_runs.selectors.trail_filter import TrailFilter
from tests.control import make_people, make_person
from tests.integration import panel, trails
from tests.integration.trails import EXPORT, TRAIL

pytestmark = pytest.mark.usefixtures("control_db", "broker")


@pytest.fixture
def auditor(control_db: ControlUrls) -> Client:
    return trails.auditor()


def numbers(client: Client, address: str) -> list[int]:
    page = client.get(address).context["page"]
    return [shown.event.seq for shown in page.events]


# -- who may look


def test_every_role_reads_the_trail_and_a_stranger_does_not(auditor: Client) -> None:
    seq = trails.tell()
    addresses = (TRAIL, EXPORT, reverse("admin:migration_runs_auditevent_change", args=[seq]))
    for person in make_people().values():
        client = Client()
        client.force_login(person)
        assert [client.get(address).status_code for address in addresses] == [200, 200, 200]
    stranger = Client()
    stranger.force_login(User.objects.create(username="nobody", is_staff=True))
    assert [stranger.get(address).status_code for address in addresses] == [403, 403, 403]
    assert [Client().get(address).status_code for address in addresses] == [302, 302, 302]


def test_nothing_is_posted_to_the_trail(auditor: Client) -> None:
    root = Client()
    root.force_login(make_person("root", superuser=True))
    assert [root.post(address).status_code for address in (TRAIL, EXPORT)] == [405, 405]


# -- filters and pages


def test_filters_find_what_was_asked_for_and_no_more(auditor: Client) -> None:
    scene = panel.started(2)
    one = trails.tell("dora", "run.hold", run=scene.run, detail={"reason": "lag"})
    two = trails.tell("emil", "refused.sign", run=scene.run)
    other = trails.tell("emil", "run.hold")
    assert numbers(auditor, f"{TRAIL}?run={scene.run_id}&action=run.hold") == [one]
    assert numbers(auditor, f"{TRAIL}?person=emil") == [other, two]
    assert numbers(auditor, f"{TRAIL}?action=refused.") == [two]
    assert numbers(auditor, f"{TRAIL}?person=emil&action=run.hold") == [other]
    assert numbers(auditor, f"{TRAIL}?person=nobody") == []
    of_run = numbers(auditor, panel.url("audit", scene.run_id))
    assert of_run[:2] == [two, one]
    assert other not in of_run
    # the run of the tab cannot be changed by the address
    assert numbers(auditor, panel.url("audit", scene.run_id) + "?run=999999") == of_run


def test_time_is_utc_and_half_open(auditor: Client, cluster: Any) -> None:
    scene = panel.draft()
    trails.damage(trails.superuser(cluster), "DELETE FROM migration_runs_auditevent")
    trails.fill(trails.superuser(cluster), 300, run=scene.run_id)
    found = numbers(auditor, f"{TRAIL}?since=2026-03-01T01:00&until=2026-03-01T01:05")
    assert found == [64, 63, 62, 61, 60]


def test_pages_follow_one_another_without_gap_or_repetition(auditor: Client, cluster: Any) -> None:
    scene = panel.draft()
    trails.damage(trails.superuser(cluster), "DELETE FROM migration_runs_auditevent")
    trails.fill(trails.superuser(cluster), 120, run=scene.run_id)
    seen, address = [], TRAIL
    while address:
        page = auditor.get(address)
        seen.append(numbers(auditor, address))
        last, address = address, page.context["older"]
    assert seen == [list(range(120, 70, -1)), list(range(70, 20, -1)), list(range(20, 0, -1))]
    back = auditor.get(auditor.get(last).context["newer"])
    assert [shown.event.seq for shown in back.context["page"].events] == seen[1]
    first = auditor.get(back.context["newer"])
    assert [shown.event.seq for shown in first.context["page"].events] == seen[0]
    assert first.context["newer"] == ""
    assert numbers(auditor, first.context["newest"]) == seen[0]


def test_a_page_keeps_its_filter(auditor: Client, cluster: Any) -> None:
    scene = panel.draft()
    trails.damage(trails.superuser(cluster), "DELETE FROM migration_runs_auditevent")
    trails.fill(trails.superuser(cluster), 6000, run=scene.run_id)
    older = auditor.get(f"{TRAIL}?action=refused.&since=2026-03-01T00:00").context["older"]
    assert parse_qs(urlsplit(older).query) == {
        "action": ["refused."], "since": ["2026-03-01T00:00"], "before": ["1100"],
    }  # fmt: skip
    assert numbers(auditor, older) == list(range(1000, 0, -100))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("run=abc", "Enter a whole number"),
        ("run=99999999999999999999999", "less than or equal"),
        ("since=yesterday", "Enter a valid date/time"),
        ("since=2026-03-02T00:00&until=2026-03-01T00:00", "not after the beginning"),
        ("person=%00", "Null characters are not allowed"),
        ("before=x", "no such page"),
        ("action=" + "a" * 61, "at most 60 characters"),
    ],
)
def test_a_senseless_filter_is_told_and_finds_nothing(auditor: Client, query: str, said: str) -> None:
    trails.tell()
    page = auditor.get(f"{TRAIL}?{query}")
    assert page.status_code == 200
    assert said in page.content.decode()
    assert page.context["page"] is None
    assert auditor.get(f"{EXPORT}?{query}").status_code == 400


@pytest.mark.parametrize(
    "wanted",
    [
        TrailFilter(),
        TrailFilter(run=1),
        TrailFilter(person="rare"),
        TrailFilter(person="nobody"),
        TrailFilter(action="refused."),
        TrailFilter(action="refused.sign"),
        TrailFilter(action="moon.turn_round"),
        TrailFilter(since=trails.FIRST + timedelta(days=5), until=trails.FIRST + timedelta(days=5, hours=2)),
        TrailFilter(run=1, person="rare", action="refused."),
    ],
    ids=lambda wanted: "-".join(wanted.query()) or "all",
)
def test_a_page_of_a_long_trail_is_found_by_an_index(cluster: Any, wanted: TrailFilter) -> None:
    """Of 100,000 events few are read: the plan's own count, which no noise disturbs."""
    scene = panel.draft()
    trails.damage(trails.superuser(cluster), "DELETE FROM migration_runs_auditevent")
    trails.fill(trails.superuser(cluster), 100_000, run=scene.run_id)
    if wanted.run:
        wanted = TrailFilter(**(wanted.__dict__ | {"run": scene.run_id}))
    for before in (None, 60_000):
        events = wanted.events().order_by("-seq")
        events = events.filter(seq__lt=before) if before else events
        plan = json.loads(events[:51].explain(format="json", analyze=True, buffers=True))[0]["Plan"]
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1_200, plan
        assert "Seq Scan" not in json.dumps(plan)


def test_a_page_costs_the_same_queries_however_long_the_trail_is(auditor: Client, cluster: Any) -> None:
    counts = []
    scene = panel.draft()
    for events in (10, 5_000):
        trails.damage(trails.superuser(cluster), "DELETE FROM migration_runs_auditevent")
        trails.fill(trails.superuser(cluster), events, run=scene.run_id)
        for address in (TRAIL, f"{TRAIL}?run={scene.run_id}", panel.url("audit", scene.run_id)):
            auditor.get(address)
            with CaptureQueriesContext(connection) as queries:
                auditor.get(address)
            counts.append(len(queries))
    assert counts[:3] == counts[3:]
    assert counts[0] <= 12


# -- what is shown


def test_an_event_has_a_sentence_its_raw_detail_and_an_address(auditor: Client) -> None:
    scene = panel.held()
    event = AuditEvent.objects.filter(action="run.hold").latest("seq")
    address = reverse("admin:migration_runs_auditevent_change", args=[event.seq])
    for page in (TRAIL, panel.url("audit", scene.run_id), address):
        shown = auditor.get(page).content.decode()
        assert "<b>lag</b>" not in shown
        assert f"olga put {scene.run.name} on hold: “&lt;b&gt;lag&lt;/b&gt; 40 s”" in shown
        assert "&quot;reason&quot;: &quot;&lt;b&gt;lag&lt;/b&gt; 40 s&quot;" in shown
        assert event.hash in shown
    assert f'href="{address}"' in auditor.get(TRAIL).content.decode()
    assert "As written" in auditor.get(address).content.decode()


def test_an_event_that_is_not_there_is_404(auditor: Client) -> None:
    seq = trails.tell()
    assert auditor.get(reverse("admin:migration_runs_auditevent_change", args=[seq + 1])).status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE migration_runs_auditevent SET actor = 'eve' WHERE seq = 2", "changed after it was written"),
        ("DELETE FROM migration_runs_auditevent WHERE seq = 1", "does not name the hash"),
        ("UPDATE migration_runs_auditevent SET hash = 'x' WHERE seq = 1", "does not name the hash"),
    ],
)
def test_an_event_that_is_not_as_it_was_written_says_so(
    auditor: Client, cluster: Any, change: str, said: str
) -> None:
    for _ in range(3):
        trails.tell()
    address = reverse("admin:migration_runs_auditevent_change", args=[2])
    assert "As written" in auditor.get(address).content.decode()
    trails.damage(trails.superuser(cluster), change)
    shown = " ".join(auditor.get(address).content.decode().split())
    assert "Not as written" in shown
    assert said in shown
