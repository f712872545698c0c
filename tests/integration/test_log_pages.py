"""The whole log: page by page, filtered by the server, downloaded as filtered; never slow for its length."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from migration_runs.models import LogLine
from migration_runs.phases import Role
from migration_runs.selectors import log_pages
from migration_runs.selectors.log_pages import LogFilter
from tests.control import Scene
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")


@pytest.fixture
def scene() -> Scene:
    return panel.started(2)


def write(scene: Scene, count: int, *, first: int = 0) -> None:
    LogLine.objects.bulk_create(
        LogLine(run=scene.run, phase=2, step="copy", level="info", text=f"line {first + number}")
        for number in range(count)
    )


def warn(scene: Scene, text: str) -> None:
    LogLine.objects.create(run=scene.run, phase=2, level="warn", text=text)


def numbers(page: log_pages.LogPage) -> list[str]:
    return [line.text for line in page.lines]


def downloaded(client: Client, scene: Scene, **asked: str) -> list[str]:
    answer = client.get(url("log", scene.run_id), asked)
    return b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]


def test_every_line_is_reached_once_page_by_page(scene: Scene) -> None:
    write(panel.started(2), 5)  # another run's
    write(scene, 450)
    seen: list[str] = []
    before: int | None = None
    while True:
        page = log_pages.log_page(scene.run_id, LogFilter(), before=before)
        seen = [*numbers(page), *seen]
        before = page.older_than
        if before is None:
            break
    assert seen == [f"copy: line {number}" for number in range(450)]


def test_a_filter_stops_after_so_many_lines_and_the_next_page_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "LOOKED_AT", 100)
    warn(scene, "a rare one")
    write(scene, 250)
    wanted = LogFilter(text="RARE")
    first = log_pages.log_page(scene.run_id, wanted)
    assert (first.lines, first.looked_back_to is None) == ((), False)
    second = log_pages.log_page(scene.run_id, wanted, before=first.older_than)
    third = log_pages.log_page(scene.run_id, wanted, before=second.older_than)
    assert second.lines == ()
    assert numbers(third) == ["a rare one"]
    assert (third.older_than, third.looked_back_to) == (None, None)


def test_the_page_leads_backwards_with_its_filter_and_the_download_is_of_the_same_lines(scene: Scene) -> None:
    client = as_role(scene, Role.AUDITOR)
    write(scene, 230)
    warn(scene, "50% of <b>all</b> rows")
    shown = client.get(url("log_lines", scene.run_id))
    assert "line 230" not in text_of(shown)
    assert "copy: line 31" in text_of(shown)
    assert "Older lines" in text_of(shown)
    assert f"before={log_pages.log_page(scene.run_id, LogFilter()).older_than}" in shown.content.decode()
    assert "<b>all</b>" not in shown.content.decode()
    only = client.get(url("log_lines", scene.run_id), {"level": "warnings", "text": "50%"})
    assert "line 31" not in text_of(only)
    assert "50% of" in text_of(only)
    assert len(downloaded(client, scene)) == 231
    assert [line.split(" ", 1)[1] for line in downloaded(client, scene, level="warnings")] == [
        "warn  2 50% of <b>all</b> rows"
    ]
    assert len(downloaded(client, scene, level="all", text="line 22")) == 11


@pytest.mark.parametrize("asked", [{"before": "x"}, {"before": "9" * 40}, {"text": "a\0b"}, {"level": "?"}])
def test_a_question_that_makes_no_sense_is_no_error(scene: Scene, asked: dict[str, str]) -> None:
    client = as_role(scene, Role.AUDITOR)
    assert client.get(url("log_lines", scene.run_id), asked).status_code == 200
    assert isinstance(downloaded(client, scene, **asked), list)


def test_pages_cost_the_same_queries_and_bytes_however_long_the_log_is(scene: Scene) -> None:
    client = as_role(scene, Role.AUDITOR)

    def cost(page: str) -> tuple[int, int]:
        client.get(url(page, scene.run_id))
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(url(page, scene.run_id))
        return len(seen), answer.content.count(b"<li") + answer.content.count(b"data-level")

    write(scene, log_pages.PAGE + 1)
    before = cost("live"), cost("log_lines")
    write(scene, 3_000)
    assert (cost("live"), cost("log_lines")) == before
