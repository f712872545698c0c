"""A run's documents: made from plan and run, the same as page and as Markdown; lessons are only added."""

from __future__ import annotations

import re

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine.bounds import floored
from migration_runs.exceptions import NotAllowed, Refused
from migration_runs.management.commands.run import COMMANDS
from migration_runs.models import AuditEvent, Lesson
from migration_runs.phases import Role
from migration_runs.runbook import loader
from migration_runs.runbook.steps import AssertStep, SqlStep
from migration_runs.selectors import documents
from migration_runs.selectors.run_page import run_view
from migration_runs.services import audit, lessons
from migration_runs.services.plan_store import plan_of
from tests import plans
from tests.control import HOW, Scene, control_plan, make_person
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role
from tests.processes import CHECKOUT

pytestmark = pytest.mark.usefixtures("control_db", "broker")
SHIPPED = CHECKOUT / "bars" / "runbooks" / "dxy_1m"


@pytest.fixture
def scene() -> Scene:
    return panel.to_sign()


@pytest.mark.parametrize("key", list(documents.DOCUMENTS))
@pytest.mark.parametrize("state", sorted(panel.STATES))
def test_every_document_can_be_read_in_every_state(key: str, state: str) -> None:
    scene = panel.STATES[state]()
    client = as_role(scene, Role.AUDITOR)
    page = client.get(url("document", scene.run_id, key))
    assert page.status_code == 200
    assert documents.DOCUMENTS[key].TITLE in page.content.decode()
    text = client.get(url("document_markdown", scene.run_id, key))
    assert text["Content-Type"].startswith("text/markdown")
    assert f'filename="{scene.run.name}-{key}.md"' in text["Content-Disposition"]
    assert text.content.decode().startswith(f"# {documents.DOCUMENTS[key].TITLE}")


def test_the_head_of_a_column_of_numbers_stands_over_them(scene: Scene) -> None:
    page = as_role(scene, Role.DBA).get(url("document", scene.run_id, "index")).content.decode()
    assert re.search(r'<th scope="col" class="pg-num">\s*Planned\s*</th>', page)
    assert re.search(r'<th scope="col">\s*Owner\s*</th>', page)


def test_the_runbook_has_the_sql_of_every_step_as_signed(scene: Scene) -> None:
    text = as_role(scene, Role.DBA).get(url("document_markdown", scene.run_id, "runbook")).content.decode()
    plan = plan_of(scene.run.plan_id)
    files = [
        step.sql.text
        for phase in plan.runbook.phases
        for step in phase.steps
        if isinstance(step, SqlStep | AssertStep)
    ]
    assert files
    for file in files:
        assert file.strip() in text


def test_the_documents_of_no_run_and_unknown_documents_are_not_there(scene: Scene) -> None:
    client = as_role(scene, Role.AUDITOR)
    assert client.get(url("document", scene.run_id, "novel")).status_code == 404
    assert client.get(url("document_markdown", scene.run_id, "novel")).status_code == 404
    assert client.get(url("document", 999_999, "card")).status_code == 404


def test_whoever_may_not_read_runs_reads_no_document(scene: Scene) -> None:
    client = Client()
    assert client.get(url("document", scene.run_id, "card")).status_code == 302  # to the log-in
    client.force_login(make_person("stranger"))
    assert client.get(url("document_markdown", scene.run_id, "card")).status_code in {302, 403}


# -- changes of the plan


def test_a_revised_plan_is_told_with_what_changed() -> None:
    scene = Scene.draft(panel.own_tables(control_plan()))
    assert [change.what for change in documents.plan_changes(scene.run_id)] == ["first written"]


# -- lessons


def write(scene: Scene, role: Role, text: str) -> None:
    lessons.write_lesson(scene.run_id, text=text, person=scene.people[role], how=HOW)


def test_a_lesson_is_kept_shown_and_on_the_trail(scene: Scene) -> None:
    client = as_role(scene, Role.ENGINEER)
    answer = client.post(url("lesson", scene.run_id), {"text": " Try the <deploy> twice. "}, follow=True)
    shown = answer.content.decode()
    assert "Try the &lt;deploy&gt; twice." in shown
    row = Lesson.objects.get(run=scene.run)
    assert (row.person.username, row.text) == (
        scene.people[Role.ENGINEER].username,
        "Try the <deploy> twice.",
    )
    event = AuditEvent.objects.get(action="lesson.write")
    assert event.detail == {"lesson": row.text}
    assert audit.verify().intact
    text = client.get(url("document_markdown", scene.run_id, "index")).content.decode()
    assert "Try the \\<deploy\\> twice." in text


def test_a_lesson_can_be_added_when_the_run_is_over() -> None:
    scene = panel.cancelled()
    write(scene, Role.DBA, "Ask devops first.")
    assert [one.text for one in documents.lessons_of(scene.run_id)] == ["Ask devops first."]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (lessons.LONGEST + 1), "a\x00b"])
def test_no_lesson_without_text_or_with_too_much(scene: Scene, text: str) -> None:
    with pytest.raises(Refused):
        write(scene, Role.DBA, text)
    assert not Lesson.objects.exists()
    assert AuditEvent.objects.filter(action="refused.write_lesson").count() == 1


def test_an_auditor_writes_no_lesson(scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        write(scene, Role.AUDITOR, "I would.")
    page = as_role(scene, Role.AUDITOR).get(url("document", scene.run_id, "index")).content.decode()
    assert "Write it down" not in page
    as_role(scene, Role.AUDITOR).post(url("lesson", scene.run_id), {"text": "I would."})
    assert not Lesson.objects.exists()


def test_a_lesson_is_neither_changed_nor_removed(scene: Scene) -> None:
    write(scene, Role.DBA, "As it was.")
    for wrong in (
        lambda: Lesson.objects.update(text=F("text")),
        lambda: Lesson.objects.filter(run=scene.run).delete(),
        lambda: Lesson.objects.update(text="as I like it"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            wrong()
    assert Lesson.objects.get().text == "As it was."


def test_a_get_on_the_address_of_lessons_does_nothing(scene: Scene) -> None:
    assert as_role(scene, Role.DBA).get(url("lesson", scene.run_id)).status_code == 405


def test_documents_cost_a_constant_number_of_queries() -> None:
    def queries(scene: Scene) -> int:
        client = as_role(scene, Role.AUDITOR)
        client.get(url("document", scene.run_id, "index"))  # what is kept in the process is there now
        with CaptureQueriesContext(connection) as caught:
            client.get(url("document", scene.run_id, "index"))
        return len(caught)

    few, many = panel.to_sign(), panel.to_sign()
    for number in range(30):
        write(many, Role.DBA, f"Lesson {number}.")
    assert queries(few) == queries(many)


def test_the_command_on_the_card_for_when_the_panel_is_down_is_one_that_there_is(scene: Scene) -> None:
    text = as_role(scene, Role.ONCALL).get(url("document_markdown", scene.run_id, "card")).content.decode()
    assert f"manage.py run rollback {scene.run_id} at a terminal" in text
    assert "rollback" in COMMANDS


def test_the_card_judges_as_the_panel_does_and_the_runbook_has_each_checks_query() -> None:
    age = plans.check("age", "SELECT 1 AS value, '' AS detail", passes={"below": 60}, unit="seconds")
    scene = Scene.draft(panel.own_tables(control_plan(checks=[age], clock_speed=600.0)))
    check = plan_of(scene.run.plan_id).runbook.checks[0]
    assert check.passes is not None
    assert floored(check.passes, check, 600.0).below == 1200  # two real seconds
    client = as_role(scene, Role.ONCALL)
    card = client.get(url("document_markdown", scene.run_id, "card")).content.decode()
    assert "below 20 min" in card
    assert "below 60 s" not in card
    assert "approver ada" in card  # who approves the start of the cleanup stands beside who owns it
    runbook = client.get(url("document_markdown", scene.run_id, "runbook")).content.decode()
    assert "SELECT 1 AS value" in runbook.partition("Checks by hand")[2]


def test_slots_follow_one_another_on_a_fast_clock() -> None:
    scene = Scene.draft(panel.own_tables(control_plan(hours=24, clock_speed=720.0)))
    found = run_view(scene.run_id, person=scene.people[Role.DBA]).phases
    times = [moment for phase in found for moment in (phase.planned_start, phase.slot_end) if moment]
    assert len(times) == 2 * len(found)
    assert times == sorted(times)
    page = as_role(scene, Role.DBA).get(url("document", scene.run_id, "before-after")).content.decode()
    assert "720 times real time" in page


def test_the_queries_of_the_shipped_card_run_and_see_each_kind_of_difference(bars_target: TargetUrls) -> None:
    queries = {query.sql.path: query.sql.text for query in loader.load(SHIPPED).queries}
    equal = next(text for path, text in queries.items() if path.endswith("equal.sql"))
    scope = "canonical_symbol = 'DXY' AND timeframe = '1m'"
    with psycopg.connect(bars_target.owner_url) as conn:
        for text in queries.values():
            assert conn.execute(text).description is not None
        total = conn.execute(f"SELECT count(*) FROM derived_data_bars WHERE {scope} AND deleted_at IS NULL")
        assert conn.execute(equal).fetchone() == (*(total.fetchone() or ()), 0, 0)
        key, rest = "canonical_symbol, timeframe, ts_utc", "is_partial, source, raw, ingested_at"
        names = f"{key}, open, high, low, close, {rest}"
        conn.execute(
            f"INSERT INTO data_bars ({names}) SELECT {names.replace('source', repr('synthetic'))} "
            f"FROM derived_data_bars WHERE {scope} AND deleted_at IS NULL"
        )
        assert conn.execute(equal).fetchone() == (0, 0, 0)
        first = f"ts_utc = (SELECT min(ts_utc) FROM derived_data_bars WHERE {scope} AND deleted_at IS NULL)"
        conn.execute(f"UPDATE data_bars SET high = high + 1 WHERE {scope} AND {first}")
        assert conn.execute(equal).fetchone() == (0, 0, 1)
        conn.execute(f"UPDATE data_bars SET ts_utc = ts_utc - interval '1 year' WHERE {scope} AND {first}")
        assert conn.execute(equal).fetchone() == (1, 1, 0)
        conn.rollback()
