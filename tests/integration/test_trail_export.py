"""The trail as a file: CSV without formulas, and lines that can be checked without the panel."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controlpanel.embedded_databases import ControlUrls
from migration_runs.models import AuditEvent
from migration_runs.selectors import trail_pages
from tests.control import Scene
from tests.integration import panel, trails
from tests.integration.trails import EXPORT

pytestmark = pytest.mark.usefixtures("control_db", "broker")


@pytest.fixture
def auditor(control_db: ControlUrls) -> Client:
    return trails.auditor()


def content(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return b"".join(response).decode()


def test_json_lines_are_those_of_the_command(
    auditor: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_pages, "BATCH", 3)
    Scene.submitted()
    for _ in range(7):
        trails.tell(detail={"é": ["<b>", 1e-7, None]})
    call_command("audit", "export")
    assert content(auditor, f"{EXPORT}?format=jsonl") == capsys.readouterr().out


def test_the_table_has_the_same_events_with_their_sentences(auditor: Client) -> None:
    scene = panel.held()
    lines = list(csv.DictReader(io.StringIO(content(auditor, f"{EXPORT}?format=csv&run={scene.run_id}"))))
    events = list(AuditEvent.objects.filter(run=scene.run_id).order_by("seq"))
    assert [line["seq"] for line in lines] == [str(event.seq) for event in events]
    held = next(line for line in lines if line["action"] == "run.hold")
    assert held["sentence"] == f"olga put {scene.run.name} on hold: “<b>lag</b> 40 s”"
    assert json.loads(held["detail"])["reason"] == "<b>lag</b> 40 s"
    assert held["run"] == scene.run.name


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(auditor: Client, start: str) -> None:
    trails.tell(
        actor=f"{start}1+1", action="run.hold", thing=f'{start}HYPERLINK("x")', detail={"reason": "=1"}
    )
    text = content(auditor, f"{EXPORT}?format=csv")
    (line,) = csv.DictReader(io.StringIO(text, newline=""))
    assert line["actor"] == f"'{start}1+1"
    assert line["object"] == f'\'{start}HYPERLINK("x")'
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line.values())


def test_a_file_is_named_after_its_filter(auditor: Client) -> None:
    trails.tell()
    query = "format=csv&person=../../e%22vil&action=refused.&since=2026-03-05T18:00"
    given = auditor.get(f"{EXPORT}?{query}")["Content-Disposition"]
    wanted = "phasegate-audit-person-evil-action-refused-since-2026-03-05T1800.csv"
    assert given == f'attachment; filename="{wanted}"'
    assert auditor.get(f"{EXPORT}?format=xlsx").status_code == 400


def test_an_export_is_streamed_and_ends_with_the_newest_event_of_its_beginning(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_pages, "BATCH", 2)
    for _ in range(5):
        trails.tell()
    response = auditor.get(f"{EXPORT}?format=jsonl")
    assert response.streaming
    parts = iter(response)
    lines = [next(parts)]
    trails.tell()  # while it is being sent
    with CaptureQueriesContext(connection) as queries:
        lines += list(parts)
    assert len(lines) == 5
    assert len(queries) >= 2  # batch by batch, not at once
    assert AuditEvent.objects.count() == 6  # an export writes nothing
