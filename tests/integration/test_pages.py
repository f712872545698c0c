"""The panel's pages: a GET changes nothing, a POST asks a service, and rules hold wherever they are asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from migration_runs.engine.outcome import Outcome
from migration_runs.models import PhaseRun, StepRun
from migration_runs.phases import Role
from migration_runs.services import fleet, leases
from migration_runs.templatetags import phasegate
from tests.control import Scene, make_person
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role, client_of, control_digest, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")


# -- a GET changes nothing


def test_no_get_changes_anything_whoever_looks() -> None:
    scenes = [panel.STATES[state]() for state in ("to_sign", "asking", "rolling_back")]
    admin = make_person("root", superuser=True)
    people = [*scenes[0].people.values(), admin]
    clients = [client_of(person) for person in people]
    lists = [
        reverse(f"admin:migration_runs_{name}_changelist")
        for name in ("run", "auditevent", "signoff", "storedplan")
    ]
    everywhere = ["/admin/", url_of_new(), *lists]
    before = control_digest()
    for client in clients:
        for address in everywhere:
            assert client.get(address).status_code in {200, 403}, address
        for scene in scenes:
            for address in panel.addresses(scene.run):
                response = client.get(address)
                assert response.status_code in {200, 404, 405}, address
                if response.streaming:
                    b"".join(response)
    assert control_digest() == before
    User.objects.filter(pk=admin.pk).update(first_name="changed")
    assert control_digest() != before  # the digest sees a change


def url_of_new() -> str:
    return reverse("admin:migration_runs_run_add")


@pytest.mark.parametrize("state", sorted(panel.STATES))
def test_the_run_page_shows_every_state_without_asking_the_target(state: str) -> None:
    scene = panel.STATES[state]()  # whose target's address leads nowhere
    page = as_role(scene, Role.AUDITOR).get(url("change", scene.run_id))
    assert page.status_code == 200
    shown = text_of(page)
    assert scene.run.name in shown
    assert "Sign-offs" in shown
    assert "Live log" in shown
    for number in range(1, 10):
        assert PhaseRun.objects.get(run=scene.run, number=number).key.split("_")[0] in shown


def test_what_people_typed_is_escaped() -> None:
    scene = panel.held()
    page = as_role(scene, Role.DBA).get(url("change", scene.run_id)).content.decode()
    assert "<b>lag</b>" not in page
    assert "&lt;b&gt;lag&lt;/b&gt; 40 s" in page


def test_a_running_step_shows_its_progress_its_rate_and_its_end() -> None:
    scene = panel.started(2)
    leases.claim(scene.phase(2).pk, worker="worker-1")
    StepRun.objects.filter(phase=scene.phase(2)).update(
        state="running",
        done=250_000,
        total=1_000_000,
        unit="rows",
        started_at=timezone.now() - timedelta(seconds=10),
    )
    page = as_role(scene, Role.DBA).get(url("live", scene.run_id))
    bar = r'<progress\s+class="pg-progress"\s+max="1000000"\s+value="250000"'
    assert re.search(bar, page.content.decode())
    shown = text_of(page)
    assert "250,000 of 1,000,000 rows" in shown
    assert "25 %" in shown
    rate = re.search(r"([\d,]+) rows/s", shown)
    assert rate is not None
    assert 15_000 < int(rate[1].replace(",", "")) <= 25_000
    assert "at this rate" in shown
    PhaseRun.objects.filter(pk=scene.phase(2).pk).update(lease_until=timezone.now() - timedelta(seconds=14))
    shown = text_of(as_role(scene, Role.DBA).get(url("live", scene.run_id)))
    assert re.search(r"Worker lost \d+ s ago, resuming", shown)
    assert "250,000 of 1,000,000 rows as last told" in shown
    assert "rows/s" not in shown


def test_a_copy_shows_its_chunks_its_lag_and_its_pace() -> None:
    scene = panel.started(2)
    leases.claim(scene.phase(2).pk, worker="worker-1")
    begun = timezone.now() - timedelta(seconds=60)
    step = StepRun.objects.filter(phase=scene.phase(2)).first()
    assert step is not None
    StepRun.objects.filter(pk=step.pk).update(
        state="running", done=6_700, total=10_000, unit="rows", started_at=begun,
        points=[[begun.timestamp() + at, n] for at, n in ((0, 0), (20, 6_000), (40, 6_350), (60, 6_700))],
        figures={"chunks": 25, "chunk_rows": 250, "longest_ms": 190.4, "touched": 2, "oldest_s": 1.5},
    )  # fmt: skip
    answer = as_role(scene, Role.DBA).get(url("live", scene.run_id))
    shown = text_of(answer)
    assert re.search(r"18 rows/s 1\d\d on average", shown), "the pace of now, not of the fast beginning"
    assert "Chunks 25 done next: 250 rows" in shown
    assert "Longest chunk 190 ms" in shown
    assert "Dual-write lag 2 keys the oldest for 1.5 s" in shown
    assert "rows per second: 300 at most, 18 at the end" in answer.content.decode()
    assert f"step 2.1 of 2.{StepRun.objects.filter(phase=step.phase).count()}" in shown
    assert "updated" in shown


def undo_failed() -> Scene:
    scene = panel.rolling_back()
    number = PhaseRun.objects.get(run=scene.run, state="undoing").number
    StepRun.objects.filter(phase=scene.phase(number)).update(state="undo_failed")
    scene.work(number, Outcome(status="failed", error="it is locked", kept="", next_step="end that session"))
    return scene


def failed() -> Scene:
    scene = panel.failed()
    StepRun.objects.filter(phase=scene.phase(2)).update(state="failed")
    return scene


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (failed, ("What happened: no unique index", "Where Step 2.1", "Kept Nothing", "Next Make one",
                  "Retry The phase goes on at the step that failed", "Roll back Undoes 0 applied steps")),
        (undo_failed, ("What happened: it is locked", "Where Step 2.1", "Kept What was undone stays undone",
                       "Next End that session", "Retry the rollback Undoing goes on at the step")),
        (panel.paused, ("Paused at a safe place. 0 of 1 steps are done", "Resume The work goes on")),
        (panel.held, ("40 s Held by olga.", "Kept 0 of 1 steps of phase 2 are done",
                      "Goes on Health checks", "Phase 2 is paused", "Resume The work goes on",
                      "Roll back Undoes 0 applied steps")),
    ],
)  # fmt: skip
def test_a_run_that_stands_still_says_why_what_was_kept_and_what_can_be_chosen(
    make: Callable[[], Scene], said: tuple[str, ...]
) -> None:
    scene = make()
    shown = text_of(as_role(scene, Role.DBA).get(url("live", scene.run_id)))
    for words in said:
        assert words in shown


def test_after_a_rollback_no_phase_waits_for_its_start() -> None:
    scene = panel.rolling_back()
    while (phase := PhaseRun.objects.filter(run=scene.run, state="undoing").first()) is not None:
        scene.work(phase.number)
    shown = text_of(as_role(scene, Role.DBA).get(url("live", scene.run_id)))
    assert "Nothing had been applied on the target: there was nothing to undo." in shown
    assert "Steps of phase 1" in shown
    assert re.search(r"3 not run create_.?function", shown)
    assert "9 Locked" not in shown
    page = text_of(as_role(scene, Role.DBA).get(url("change", scene.run_id)))
    assert "3 given, 0 to come" in page
    assert "not asked" in page
    listed = as_role(scene, Role.DBA).get(reverse("admin:migration_runs_run_changelist")).content.decode()
    assert re.search(rf'class="field-phase">{phasegate.NOTHING}</td>', listed), "there is a phase in front"


@pytest.mark.parametrize("state", ["running", "rolling_back"])
def test_nothing_turns_while_nobody_is_at_the_phase(state: str) -> None:
    scene = panel.STATES[state]()
    phase = PhaseRun.objects.filter(run=scene.run, state__in=["running", "undoing"]).get()
    leases.claim(phase.pk, worker="worker-1")
    StepRun.objects.filter(phase=phase).update(state=phase.state, done=1, total=4, unit="rows")
    client = as_role(scene, Role.DBA)

    def page() -> Any:
        return client.get(url("live", scene.run_id))

    assert "pg-spin" in page().content.decode()
    PhaseRun.objects.filter(pk=phase.pk).update(lease_until=timezone.now() - timedelta(seconds=14))
    assert "pg-spin" not in page().content.decode()
    assert f"{phase.number} No worker" in text_of(page()) or f"{phase.number} Worker lost" in text_of(page())
    fleet.beat()  # others are there
    assert "pg-spin" not in page().content.decode()
    assert f"{phase.number} Worker lost" in text_of(page())


def test_the_list_costs_the_same_queries_however_many_runs_there_are() -> None:
    counts = []
    for _ in range(3):
        scene = panel.started(2)
        client = as_role(scene, Role.DBA)
        client.get(reverse("admin:migration_runs_run_changelist"))
        with CaptureQueriesContext(connection) as queries:
            page = client.get(reverse("admin:migration_runs_run_changelist"))
        assert scene.run.name in text_of(page)
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]


def test_the_list_leaves_plans_where_they_are() -> None:
    scene = panel.started(2)
    client = as_role(scene, Role.DBA)
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("admin:migration_runs_run_changelist"))
    whole = re.compile(r'"migration_runs_storedplan"\."body"(?! (#|->))')
    assert not [query["sql"] for query in queries if whole.search(query["sql"])]


def test_lists_say_that_a_worker_is_lost_and_that_the_figures_are_old() -> None:
    scene = panel.started(2)
    client = as_role(scene, Role.DBA)
    lists = ("/admin/", reverse("admin:migration_runs_run_changelist"))
    assert all("No worker has reported yet" in text_of(client.get(address)) for address in lists)
    leases.claim(scene.phase(2).pk, worker="worker-1")
    StepRun.objects.filter(phase=scene.phase(2)).update(state="running", done=5, total=10, unit="rows")
    for address in lists:
        shown = text_of(client.get(address))
        assert "orker" not in shown.replace("Workers", ""), address
    PhaseRun.objects.filter(pk=scene.phase(2).pk).update(lease_until=timezone.now() - timedelta(seconds=14))
    fleet.beat()  # others are there
    for address in lists:
        assert re.search(r"Worker lost 1\d s ago, resuming", text_of(client.get(address))), address
    assert "5 of 10 rows as last told" in text_of(client.get(lists[1]))


def test_each_cell_of_a_list_names_its_column_for_those_who_see_no_heads() -> None:
    scene = panel.started(2)
    page = as_role(scene, Role.DBA).get(reverse("admin:migration_runs_run_changelist")).content.decode()
    assert re.search(r'<td data-l="Author" class="field-\w+[^"]*">dora</td>', page)
    assert '<td class="field-' not in page
