"""The monitoring page in every state of a window: what it says first, tiles, one hour's checks, charts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from migration_runs.phases import Role
from migration_runs.selectors.charts import charts_of
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView
from migration_runs.services import runs
from migration_runs.services.plan_store import plan_of
from tests.control import HOW, Scene
from tests.integration import panel, windows
from tests.integration.panel import url
from tests.integration.reading import as_role, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")


def page_of(scene: Scene, query: str = "", *, live: bool = False, role: Role = Role.ONCALL) -> str:
    """The page as it is sent."""
    address = url("monitoring_live" if live else "monitoring", scene.run_id)
    answer = as_role(scene, role).get(address + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def said(scene: Scene, query: str = "") -> str:
    """What a reader sees of the page."""
    return text_of(as_role(scene, Role.ONCALL).get(url("monitoring", scene.run_id) + query))


def view_of(scene: Scene) -> RunView:
    return run_view(scene.run_id, person=scene.people[Role.ONCALL])


def tiles(page: str) -> list[tuple[str, str]]:
    """Number and verdict of each tile, in order."""
    found = re.findall(r'<a\s+class="pg-tile.*?</a>', page, re.DOTALL)
    words = [re.sub(r"<[^>]*>", " ", tile).split() for tile in found]
    return [(word[0], word[1]) for word in words]


def test_before_phase_8_the_page_says_what_will_open_the_window() -> None:
    scene = panel.started(2)
    shown = said(scene)
    assert "No window yet" in shown
    assert "lasts 2 hours of the target" in shown
    assert tiles(page_of(scene)) == []


def test_a_healthy_window_says_since_when_what_comes_next_and_when_cleanup_unlocks() -> None:
    scene = windows.watched()
    windows.hours(scene, 5)
    shown = said(scene)
    for words in (
        "Healthy since", "last check", "Nothing to do. Next check", "Cleanup unlocks",
        "if every check until then",
        "it needs 7 more rounds in open hours", "Window 1: 5 of 24 hours", "5 h", "5 of 5 due",
        "0 failed, 0 missed", "5 of 12 needed", "missed if not done by",
    ):  # fmt: skip
        assert words in shown, words
    found = tiles(page_of(scene))
    assert found[:6] == [(str(n), "pass") for n in range(1, 6)] + [("6", "to")]
    assert len(found) == 24


def test_a_tile_opens_its_hour_without_script_and_polling_keeps_it_open() -> None:
    scene = windows.watched()
    windows.an_hour(scene, fresh=372)
    windows.hours(scene, 2)
    newest = page_of(scene)
    assert 'id="hour-h"' in newest
    assert "Hour 3:" in text_of_page(newest)
    assert re.search(f'hx-get="{url("monitoring_live", scene.run_id)}[?]seen=[^&"]+"', newest)
    chosen = page_of(scene, "?window=1&hour=1")
    assert re.search(
        f'hx-get="{url("monitoring_live", scene.run_id)}[?]seen=[^&"]+&amp;window=1&amp;hour=1"', chosen
    )
    for page in (chosen, page_of(scene, "?window=1&hour=1", live=True)):
        shown = text_of_page(page)
        assert "Hour 1:" in shown
        assert "Bars are fresh" in shown
        assert "pass below 5 min, warn below 10 min, else fail" in shown
        assert "What to do: Look at the feed." in shown
        assert "Judged by: pass below 300 s" in shown
        assert len(re.findall(r'#hour"\s+aria-current="true"', page)) == 1
    assert re.search(r'href="\?window=1&amp;hour=1#hour"\s+aria-current="true"', chosen)


@pytest.mark.parametrize(
    "query", ["?hour=99", "?hour=x", "?window=7&hour=1", "?hour=-1", "?hour=%00", "?window=²"]
)
def test_an_address_that_leads_to_no_hour_shows_the_newest(query: str) -> None:
    scene = windows.watched()
    windows.hours(scene, 2)
    assert "Hour 2:" in said(scene, query) or "Hour 1:" in said(scene, query)
    assert 'aria-current="true"' in page_of(scene, query)


def test_an_hour_to_come_shows_what_will_be_asked() -> None:
    scene = windows.watched()
    shown = said(scene, "?window=1&hour=24")
    assert "Hour 24:" in shown
    assert "missed if not done by" in shown
    assert "pass exactly 0, else fail" in shown


def test_a_warning_is_said_until_it_is_cleared() -> None:
    scene = windows.watched()
    windows.an_hour(scene, fresh=372)
    shown = said(scene)
    assert "Watch: Bars are fresh: 6 min" in shown
    assert "A warning does not break the window." in shown
    assert "not cleared yet" in shown
    windows.an_hour(scene)
    shown = said(scene)
    assert "Nothing to do." in shown
    assert "cleared" in shown
    assert "not cleared yet" not in shown


def test_a_failed_check_says_what_failed_what_to_do_and_that_checks_go_on() -> None:
    scene = windows.watched()
    windows.hours(scene, 2)
    assert windows.an_hour(scene, fresh=840) == "fail"
    shown = said(scene)
    assert "On hold" in shown
    assert "window 1 ended" in shown
    assert "Check fresh failed" in shown
    assert "Look at the feed. Checks go on during the hold. When the cause is gone, resume" in shown
    windows.an_hour(scene)
    found = tiles(page_of(scene))
    assert found[2:5] == [("3", "fail"), ("hold", "pass"), ("hold", "to")]
    shown = said(scene)
    assert "Window 1: 3 of 24 hours" in shown
    assert "1 failed, 0 missed" in shown
    assert windows.an_hour(scene, fresh=840) == "fail"  # during the hold: not the window's any more
    assert "1 failed, 0 missed" in said(scene)
    assert "3 of 12 needed" in said(scene)
    assert "during the hold" in said(scene, "?window=1&hour=4")


def test_a_missed_check_is_seen_with_its_own_word_and_icon() -> None:
    scene = windows.watched()
    windows.hours(scene, 1)
    windows.missed(scene)
    page = page_of(scene)
    assert tiles(page)[1] == ("2", "missed")
    assert 'class="pg-tile is-missed"' in page
    assert "#i-missed" in page
    shown = text_of_page(page)
    assert "0 failed, 3 missed" in shown
    assert "checks were missed" in shown


def test_a_window_that_was_followed_is_folded_with_why_it_ended_and_the_checks_of_its_hold() -> None:
    scene = windows.story()
    page = page_of(scene)
    shown = text_of_page(page)
    assert "Window 2: 17 of 24 hours" in shown
    assert "Window 1 ended after 7 hours" in shown
    assert "check fresh failed" in shown
    assert '<details class="pg-step is-bad" id="window-1" >' in re.sub(r"\s+", " ", page)
    assert tiles(page)[24:] == [
        ("1", "pass"), ("2", "pass"), ("3", "pass"), ("4", "warn"), ("5", "pass"), ("6", "pass"),
        ("7", "fail"), ("hold", "missed"), ("hold", "pass"),
    ]  # fmt: skip
    opened = re.sub(r"\s+", " ", page_of(scene, "?window=1&hour=7"))
    assert 'id="window-1" open' in opened
    assert "Hour 7:" in text_of_page(opened)
    assert ", window 1" in text_of_page(opened)


def test_a_closed_market_is_said_with_since_when_and_shaded() -> None:
    scene = windows.story()
    page = page_of(scene)
    shown = text_of_page(page)
    assert "Market closed since Fri 22:00" in shown
    assert "2 closed so far" in shown
    assert tiles(page)[15:17] == [("16", "closed"), ("17", "closed")]
    assert 'class="g-closed"' in page
    assert "market closed" in shown


def test_a_whole_window_says_so() -> None:
    scene = windows.watched()
    windows.whole(scene)
    shown = said(scene)
    assert "Window 1: 24 of 24 hours" in shown
    assert "Whole" in shown
    assert scene.phase(8).state == "awaiting_sign_off"


def test_a_hold_by_a_person_keeps_the_persons_words() -> None:
    scene = windows.watched()
    runs.hold_run(scene.run_id, reason="a power cut is announced", person=scene.people[Role.DBA], how=HOW)
    shown = said(scene)
    assert "A power cut is announced" in shown
    assert "On hold by dora" in shown


# -- charts


def test_values_that_move_get_a_chart_with_limits_unit_range_and_a_table() -> None:
    scene = windows.story()
    view = view_of(scene)
    charts = charts_of(view.window, plan_of(view.digest))
    by_key = {chart.key: chart for chart in charts.charts}
    assert set(by_key) == {"fresh", "price", "errors-shown"}
    assert {found.key: (found.said, found.count) for found in charts.flat} == {
        "errors": ("0", 17), "fresh-closed": ("0 s", 2),
    }  # fmt: skip
    fresh = by_key["fresh"]
    assert fresh.label.startswith("Bars are fresh, window 2: lowest 60 s, highest 6 min, last")
    assert fresh.y_labels == ("15 min", "10 min fail", "5 min warn", "0 s")
    assert [dot.verdict for dot in fresh.dots] == ["warn"]
    assert len(fresh.rows) == 15, "closed hours measured something else"
    assert fresh.future is not None
    assert by_key["price"].legend == (
        ("fail", "fail under 80, outside this scale"), ("fail", "fail above 120, outside this scale"),
    )  # fmt: skip
    page = page_of(scene)
    assert f'aria-label="{fresh.label}"' in page
    assert page.count("<polyline") == 3
    assert by_key["errors-shown"].range_said == "low 58, high 60"
    assert by_key["errors-shown"].dots == ()
    assert "style=" not in page
    assert "The same in every check of window 2" in text_of_page(page)


def test_what_was_not_measured_is_a_gap_and_a_miss_is_marked() -> None:
    scene = windows.watched()
    windows.hours(scene, 3)
    windows.missed(scene)
    windows.hours(scene, 2)
    view = view_of(scene)
    chart = charts_of(view.window, plan_of(view.digest)).charts[0]
    assert len(chart.lines) == 2
    assert len(chart.missed) == 1
    assert "missed" in [row.verdict for row in chart.rows]
    assert "1 missed" in chart.label


def test_one_value_or_none_is_no_chart() -> None:
    scene = windows.watched()
    view = view_of(scene)
    assert charts_of(view.window, plan_of(view.digest)).flat == ()
    assert charts_of(None, plan_of(view.digest)).charts == ()
    windows.an_hour(scene)
    view = view_of(scene)
    charts = charts_of(view.window, plan_of(view.digest))
    assert charts.charts == ()
    assert [found.count for found in charts.flat] == [1, 1, 1, 1]


# -- cost


@pytest.mark.parametrize("address", ["monitoring", "monitoring_live"])
def test_the_page_costs_the_same_queries_however_long_the_story(address: str) -> None:
    counts = []
    scenes: tuple[Callable[[], Scene], ...] = (windows.watched, windows.story)
    for make in scenes:
        scene = make()
        client = as_role(scene, Role.ONCALL)
        client.get(url(address, scene.run_id))
        with CaptureQueriesContext(connection) as queries:
            client.get(url(address, scene.run_id))
        counts.append(len(queries))
    assert counts[0] == counts[1], counts


def text_of_page(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
