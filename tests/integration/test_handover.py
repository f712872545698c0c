"""The watch changes hands by the word of the named person alone, and every word is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction

from migration_runs.exceptions import IllegalMove, NotAllowed, Refused
from migration_runs.models import Assignment, AuditEvent, HandoverCard, HandoverNote
from migration_runs.phases import Role
from migration_runs.selectors.handover import handover_of
from migration_runs.services import handover
from tests.control import HOW, Scene, make_person
from tests.integration import panel, windows
from tests.integration.panel import url
from tests.integration.reading import client_of, text_of

pytestmark = pytest.mark.usefixtures("control_db", "broker")
CAN_GIVE = {Role.APPROVER, Role.DBA, Role.ONCALL}
CAN_WATCH = {Role.APPROVER, Role.DBA, Role.ENGINEER, Role.DEVOPS, Role.ONCALL}


def other_oncall() -> User:
    return make_person("oscar", Role.ONCALL)


def given(scene: Scene, to: User | None = None) -> HandoverCard:
    return handover.hand_over(
        scene.run_id, to=to or other_oncall(), person=scene.people[Role.ONCALL], how=HOW
    )


def oncall_of(scene: Scene) -> str:
    return Assignment.objects.get(run_id=scene.run_id, role="oncall").person.username


@pytest.mark.parametrize("role", list(Role))
def test_who_may_write_hand_over_and_withdraw(role: Role) -> None:
    scene = panel.started(2)
    me: dict[str, Any] = {"person": scene.people[role], "how": HOW}
    _asked(lambda: handover.write_note(scene.run_id, text="look", **me), role in CAN_WATCH)
    _asked(lambda: handover.hand_over(scene.run_id, to=other_oncall(), **me), role in CAN_GIVE)
    if role not in CAN_GIVE:
        given(scene)
    _asked(lambda: handover.withdraw(scene.run_id, reason="not now", **me), role in CAN_GIVE)


def _asked(work: Callable[[], object], allowed: bool) -> None:
    before = AuditEvent.objects.filter(action__startswith="refused.").count()
    if allowed:
        work()
    else:
        with pytest.raises(NotAllowed):
            work()
    refused = AuditEvent.objects.filter(action__startswith="refused.").count() - before
    assert refused == (not allowed)


@pytest.mark.parametrize("role", list(Role))
def test_who_may_be_given_the_watch(role: Role) -> None:
    scene = panel.started(2)
    person = make_person("nina", role)
    if role in CAN_WATCH:
        assert given(scene, person).taker == person
    else:
        with pytest.raises(Refused, match="cannot watch"):
            given(scene, person)


def test_nobody_without_a_role_nobody_switched_off_and_not_oneself() -> None:
    scene = panel.started(2)
    for person in (make_person("nina"), make_person("root", superuser=True)):
        with pytest.raises(Refused, match="cannot watch"):
            given(scene, person)
    gone = other_oncall()
    gone.is_active = False
    gone.save()
    with pytest.raises(Refused, match="cannot watch"):
        given(scene, gone)
    with pytest.raises(Refused, match="somebody else"):
        given(scene, scene.people[Role.ONCALL])
    assert not HandoverCard.objects.exists()


def test_only_the_named_person_takes_over_and_becomes_the_runs_oncall() -> None:
    scene = panel.started(2)
    oscar = other_oncall()
    card = given(scene, oscar)
    assert oncall_of(scene) == "olga", "until it is taken the watch stays"
    others = [*scene.people.values(), make_person("root", superuser=True)]
    for person in others:
        with pytest.raises(NotAllowed, match="only the named person"):
            handover.take_over(scene.run_id, number=card.number, person=person, how=HOW)
    taken = handover.take_over(scene.run_id, number=card.number, person=oscar, how=HOW)
    assert taken.taken_at is not None
    assert oncall_of(scene) == "oscar"
    event = AuditEvent.objects.get(action="handover.take")
    assert (event.actor, event.detail["oncall"]) == ("oscar", True)
    assert [fact["label"] for fact in event.detail["read"]][:2] == ["State", "Window"]
    assert AuditEvent.objects.filter(action="run.assign", detail={"oncall": "oscar"}).count() == 1


def test_who_is_not_oncall_watches_while_the_runs_oncall_stays() -> None:
    scene = panel.started(2)
    card = given(scene, scene.people[Role.DEVOPS])
    handover.take_over(scene.run_id, number=card.number, person=scene.people[Role.DEVOPS], how=HOW)
    assert oncall_of(scene) == "olga"
    view = handover_of(scene.run_id, scene.people[Role.DEVOPS])
    assert (view.watcher, view.oncall) == ("devi", "olga")


def test_a_taker_who_lost_the_role_meanwhile_is_refused() -> None:
    scene = panel.started(2)
    oscar = other_oncall()
    card = given(scene, oscar)
    oscar.groups.clear()
    with pytest.raises(NotAllowed, match="Taking over the watch"):
        handover.take_over(scene.run_id, number=card.number, person=oscar, how=HOW)


def test_a_card_is_taken_once() -> None:
    scene = panel.started(2)
    oscar = other_oncall()
    card = given(scene, oscar)
    handover.take_over(scene.run_id, number=card.number, person=oscar, how=HOW)
    with pytest.raises(IllegalMove, match="You took handover 1"):
        handover.take_over(scene.run_id, number=card.number, person=oscar, how=HOW)
    assert AuditEvent.objects.filter(action="handover.take").count() == 1


def test_one_card_is_open_at_a_time_and_a_withdrawn_one_cannot_be_taken() -> None:
    scene = panel.started(2)
    oscar = other_oncall()
    card = given(scene, oscar)
    with pytest.raises(IllegalMove, match="waits for oscar"):
        given(scene, scene.people[Role.DEVOPS])
    with pytest.raises(Refused, match="Say why"):
        handover.withdraw(scene.run_id, reason=" ", person=scene.people[Role.DBA], how=HOW)
    handover.withdraw(scene.run_id, reason="oscar is ill", person=scene.people[Role.DBA], how=HOW)
    with pytest.raises(IllegalMove, match=r"dora withdrew handover 1 at .*oscar is ill"):
        handover.take_over(scene.run_id, number=card.number, person=oscar, how=HOW)
    assert given(scene, scene.people[Role.DEVOPS]).number == 2
    with pytest.raises(Refused, match="no handover 9"):
        handover.take_over(scene.run_id, number=9, person=oscar, how=HOW)


def test_a_note_that_came_after_the_page_must_be_read_first() -> None:
    scene = panel.started(2)
    oscar = other_oncall()
    card = given(scene, oscar)
    seen = handover_of(scene.run_id, oscar).newest_note
    handover.write_note(scene.run_id, text="the feed is slow", person=scene.people[Role.DBA], how=HOW)
    with pytest.raises(Refused, match="A note was added"):
        handover.take_over(scene.run_id, number=card.number, read_notes=seen, person=oscar, how=HOW)
    seen = handover_of(scene.run_id, oscar).newest_note
    handover.take_over(scene.run_id, number=card.number, read_notes=seen, person=oscar, how=HOW)


def test_a_shift_does_not_end_before_it_begins_and_a_note_needs_words() -> None:
    scene = panel.started(2)
    now = datetime.now(UTC)
    me: dict[str, Any] = {"person": scene.people[Role.ONCALL], "how": HOW}
    with pytest.raises(Refused, match="end before it begins"):
        handover.hand_over(
            scene.run_id, to=other_oncall(), starts_at=now, ends_at=now - timedelta(hours=1), **me
        )
    for text in ("", "  \n", "x" * 2001):
        with pytest.raises(Refused, match="A note"):
            handover.write_note(scene.run_id, text=text, **me)


@pytest.mark.parametrize("state", ["draft", "approved", "cancelled"])
def test_where_nothing_runs_there_is_nothing_to_watch(state: str) -> None:
    scene = panel.STATES[state]()
    with pytest.raises(IllegalMove, match="nothing to watch"):
        given(scene)
    with pytest.raises(IllegalMove, match="nothing to watch"):
        handover.write_note(scene.run_id, text="hm", person=scene.people[Role.DBA], how=HOW)


def test_cards_and_notes_are_kept_as_they_were_written() -> None:
    scene = panel.started(2)
    note = handover.write_note(scene.run_id, text="look", person=scene.people[Role.DBA], how=HOW)
    card = given(scene)
    handover.take_over(scene.run_id, number=card.number, person=other_oncall(), how=HOW)
    changes = (
        lambda: HandoverNote.objects.filter(pk=note.pk).update(text="other"),
        lambda: HandoverNote.objects.filter(pk=note.pk).delete(),
        lambda: HandoverCard.objects.filter(pk=card.pk).update(facts=[]),
        lambda: HandoverCard.objects.filter(pk=card.pk).update(taken_at=None),
        lambda: HandoverCard.objects.filter(pk=card.pk).update(withdrawn_at=datetime.now(UTC)),
        lambda: HandoverCard.objects.filter(pk=card.pk).delete(),
    )
    for change in changes:
        with (
            pytest.raises(DatabaseError, match=r"append-only|denied|taken_or_withdrawn"),
            transaction.atomic(),
        ):
            change()


# -- what the card says


def test_the_card_says_what_is_so_what_happened_and_whom_to_wake() -> None:
    scene = windows.story()
    facts = {fact.label: " ".join(fact.lines) for fact in handover_of(scene.run_id, other_oncall()).facts}
    assert list(facts) == ["State", "Window", "Happened", "Watch", "If a check fails", "Wake"]
    assert "in progress, phase 8 monitoring is running" in facts["State"]
    assert "Window 2: 17 of 24 rounds have results" in facts["Window"]
    assert "Window 1 ended" in facts["Happened"]
    assert "Bars are fresh warned at" in facts["Happened"]
    assert "The next checks are due" in facts["Watch"]
    assert "The market is closed" in facts["Watch"]
    assert "a fresh window of 24 h starts" in facts["If a check fails"]
    assert "dora (dba) for data" in facts["Wake"]


def test_the_card_of_a_held_run_says_why_it_is_held() -> None:
    scene = windows.watched()
    windows.an_hour(scene, fresh=840)
    facts = {fact.label: " ".join(fact.lines) for fact in handover_of(scene.run_id, other_oncall()).facts}
    assert "On hold since" in facts["State"]
    assert "check fresh failed" in facts["State"]
    assert "it ended" in facts["Window"]
    assert "Bars are fresh failed at" in facts["Happened"]


# -- in the panel


def test_the_watch_is_handed_over_and_taken_on_its_page() -> None:
    scene = windows.watched()
    oscar = other_oncall()
    olga, taker = client_of(scene.people[Role.ONCALL]), client_of(oscar)
    page = url("handover", scene.run_id)
    olga.post(url("handover_act", scene.run_id, "note"), {"text": "<b>provider</b> called at 3"})
    body = olga.get(page).content.decode()
    assert "&lt;b&gt;provider&lt;/b&gt; called at 3" in body
    assert "<b>provider</b>" not in body
    answer = olga.post(
        url("handover_act", scene.run_id, "give"),
        {"to": oscar.pk, "starts_at": "2026-03-07 00:00", "ends_at": "2026-03-07 08:00"},
        follow=True,
    )
    assert "The card waits for oscar" in text_of(answer)
    assert "Waits for oscar" in text_of(olga.get(url("monitoring", scene.run_id)))
    assert "I have read this" not in text_of(olga.get(page))
    shown = taker.get(page).content.decode()
    assert "I have read this and take over" in shown
    note = HandoverNote.objects.get()
    take = {"number": 1, "read_notes": note.pk}
    unread = taker.post(url("handover_act", scene.run_id, "take"), take)
    assert unread.status_code == 422
    assert "Read the card first" in text_of(unread)
    stale = taker.post(url("handover_act", scene.run_id, "take"), take | {"read_notes": 0, "read": "on"})
    assert stale.status_code == 422
    assert "A note was added since" in text_of(stale)
    done = taker.post(url("handover_act", scene.run_id, "take"), take | {"read": "on"}, follow=True)
    assert "You have the watch." in text_of(done)
    assert oncall_of(scene) == "oscar"
    again = taker.post(url("handover_act", scene.run_id, "take"), take | {"read": "on"})
    assert "You took handover 1" in text_of(again)


def test_a_crafted_post_is_refused_by_the_service_and_told() -> None:
    scene = windows.watched()
    oscar = other_oncall()
    given(scene, oscar)
    auditor = client_of(scene.people[Role.AUDITOR])
    for asked, typed in (
        ("note", {"text": "crafted"}),
        ("give", {"to": oscar.pk}),
        ("take", {"number": 1, "read_notes": 0, "read": "on"}),
        ("withdraw", {"reason": "crafted"}),
    ):
        assert auditor.post(url("handover_act", scene.run_id, asked), typed).status_code == 422
    refused = AuditEvent.objects.filter(action__startswith="refused.").order_by("seq")
    assert [event.action for event in refused] == [
        "refused.handover_note", "refused.hand_over", "refused.take_over", "refused.withdraw_handover",
    ]  # fmt: skip
    assert auditor.get(url("handover_act", scene.run_id, "take")).status_code == 405
    assert auditor.post(url("handover_act", scene.run_id, "steal")).status_code == 404
    assert oncall_of(scene) == "olga"
