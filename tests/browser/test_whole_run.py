"""A whole run of dxy_1m driven by clicking, as six people: forward until it is sealed, and back again.

Web, workers, beat, feed and aggregator are real processes; the market's clock runs fast. At the end every bar
that the feed says it wrote, and all history, is compared with what readers see.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from controlpanel.demo import headless, proof
from controlpanel.embedded_databases import TargetUrls
from migration_runs.models import AuditEvent, Run
from migration_runs.phases import Role
from migration_runs.services import audit
from tests.browser import living
from tests.browser.crew import Crew, press
from tests.control import make_people
from tests.processes import CHECKOUT, Processes

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

SPEED = 3600.0
"""A day in 24 seconds, a check each second; the demo's own pace."""

SOON = "dxy_1m_soon"
"""The shipped runbook with a retention of two minutes of the market instead of 14 days: it can be sealed."""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where the feed notes what it wrote."""
    return tmp_path / "journal.jsonl"


@pytest.fixture
def crew(
    chromium: Browser, bars_target: TargetUrls, processes: Processes, journal: Path, tmp_path: Path
) -> Iterator[Crew]:
    """Six people logged in to a panel whose target lives: feed, aggregator, workers and beat run."""
    make_people()
    runbook = shutil.copytree(CHECKOUT / "bars" / "runbooks" / "dxy_1m", tmp_path / "runbooks" / SOON)
    declared = (runbook / "runbook.toml").read_text()
    changed = declared.replace('slug = "dxy_1m"', f'slug = "{SOON}"', 1)
    changed = changed.replace("retention_days = 14", "retention_days = 0.0014", 1)
    (runbook / "runbook.toml").write_text(changed)
    processes.env["RUNBOOK_DIRS"] = str(tmp_path / "runbooks")
    url = living.start(processes, bars_target, journal=journal, speed=SPEED)
    people = Crew.of(chromium, url, lambda version: headless.deploy("bars", version, print))
    yield people
    people.leave()


@pytest.fixture
def nothing_was_lost(bars_target: TargetUrls, journal: Path) -> Callable[..., None]:
    """``nothing_was_lost(state)``: readers of this state see every bar of before and of the journal, once."""
    with psycopg.connect(bars_target.app_url) as conn:
        before = proof.history(conn)

    def prove(state: str) -> None:
        with psycopg.connect(bars_target.app_url) as conn:
            found = proof.prove(conn, state=state, before=before, journal=journal)  # type: ignore[arg-type]
        assert found.holds, found.examples
        assert found.written_during_run > 0
        assert audit.verify().intact

    return prove


@pytest.mark.slow
def test_six_people_click_a_run_through_nine_phases_and_seal_it(
    nothing_was_lost: Callable[..., None], crew: Crew
) -> None:
    crew.write(runbook=SOON, clock_speed=SPEED)
    crew.approve()
    for number in range(1, 10):
        crew.through(number)
    run = Run.objects.get()
    assert run.state == "completed"
    page = crew.on_run(Role.APPROVER)
    page.reload()  # the retention is over now
    press(page, page.get_by_role("button", name="Seal"))
    crew.said(Role.APPROVER, "Sealed: the ledger on the target is given up.")
    assert page.get_by_role("heading", name="Sealed", exact=True).count()
    assert not page.get_by_role("link", name=re.compile("Roll back")).count()
    clicked = AuditEvent.objects.filter(action__in=("run.start", "phase.start", "signoff.give"))
    assert {event.actor_how for event in clicked} <= {"web"}
    nothing_was_lost("migrated")


@pytest.mark.slow
def test_six_people_click_a_run_past_the_code_switch_and_all_the_way_back(
    nothing_was_lost: Callable[..., None], crew: Crew
) -> None:
    crew.write(runbook="dxy_1m", clock_speed=SPEED)
    crew.approve()
    for number in range(1, 6):
        crew.through(number)
    crew.roll_back()
    run = Run.objects.get()
    assert run.state == "rolled_back"
    assert crew.holds == 0
    nothing_was_lost("legacy")
