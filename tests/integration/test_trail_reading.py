"""The whole trail is read once an hour, and its page says what was found."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from controlpanel.embedded_databases import ControlUrls
from migration_runs.models import TrailReading
from migration_runs.selectors import trail_pages
from migration_runs.services import trail_reading
from tests.integration import trails
from tests.integration.trails import TRAIL

pytestmark = pytest.mark.usefixtures("control_db", "broker")


@pytest.fixture
def auditor(control_db: ControlUrls) -> Client:
    return trails.auditor()


def test_the_state_of_the_chain_is_what_the_last_reading_found(auditor: Client, cluster: Any) -> None:
    def state() -> str:
        return str(auditor.get(TRAIL).context["chain"].state)

    trails.tell()
    assert state() == "chain_unread"
    assert trail_reading.read_when_due()
    trails.tell()
    chain = auditor.get(TRAIL).context["chain"]
    assert (chain.state, chain.events, chain.head, chain.since) == ("chain_whole", 1, 2, 1)
    trails.damage(
        trails.superuser(cluster), "UPDATE migration_runs_trailreading SET at = at - interval '4 hours'"
    )
    assert state() == "chain_late"
    _an_hour_passes(cluster)
    trails.damage(
        trails.superuser(cluster), "UPDATE migration_runs_auditevent SET actor = 'eve' WHERE seq = 2"
    )
    assert trail_reading.read_when_due()
    page = auditor.get(TRAIL).content.decode()
    assert state() == "chain_broken"
    assert 'role="alert"' in page
    assert "broken at event #2" in page


def _an_hour_passes(cluster: Any) -> None:
    trails.damage(
        trails.superuser(cluster),
        "UPDATE migration_runs_trailreading SET begun_at = begun_at - interval '61 minutes', "
        "at = at - interval '61 minutes'",
    )


def test_a_tail_that_was_cut_off_shows_at_the_next_reading_and_ever_after(cluster: Any) -> None:
    for _ in range(3):
        trails.tell()
    assert trail_reading.read_when_due()
    trails.damage(trails.superuser(cluster), "DELETE FROM migration_runs_auditevent WHERE seq = 3")
    _an_hour_passes(cluster)
    assert trail_reading.read_when_due()
    assert trail_reading.last().broken_at == 3
    assert "cut off" in trail_reading.last().why
    trails.tell(detail={"another": True})  # grows again, and is whole in itself
    _an_hour_passes(cluster)
    assert trail_reading.read_when_due()
    assert trail_reading.last().broken_at == 3
    assert "another than the noted one" in trail_reading.last().why


def test_the_trail_is_read_once_an_hour_however_many_are_asked(cluster: Any) -> None:
    trails.tell()
    assert trail_reading.due()
    assert trail_reading.read_when_due()
    assert not trail_reading.due()
    assert not trail_reading.read_when_due()
    _an_hour_passes(cluster)
    assert trail_reading.due()
    assert trail_reading.read_when_due()


def test_an_empty_trail_waits_for_its_first_event() -> None:
    assert not trail_reading.due()
    trails.tell()
    assert trail_reading.due()


def test_a_chain_of_which_no_event_was_read_is_not_called_whole() -> None:
    assert trail_reading.read_when_due()
    assert trail_pages.chain().state == "chain_whole"  # of nothing: there is no event to doubt
    trails.tell()
    assert trail_pages.chain().state == "chain_unread"


def test_a_reading_whose_worker_is_gone_is_begun_again(cluster: Any) -> None:
    TrailReading.objects.create()
    assert trail_reading._claim()
    assert not trail_reading._claim()
    trails.damage(
        trails.superuser(cluster),
        "UPDATE migration_runs_trailreading SET begun_at = begun_at - interval '16 minutes'",
    )
    assert trail_reading.due()
    assert trail_reading._claim()
