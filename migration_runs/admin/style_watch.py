"""Made-up monitoring, handovers, audit events and documents for the style page, in the pages' own types."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from migration_runs.admin.style_samples import DIGEST, LONG
from migration_runs.documents.blocks import Block, Cell, Code, Facts, Items, Paragraph, Table
from migration_runs.selectors.chart_views import (
    HEIGHT,
    WIDTH,
    Band,
    ChartsView,
    ChartView,
    Dot,
    FlatView,
    LimitLine,
    ValueRow,
)
from migration_runs.selectors.handover import CardView, HandoverView, NoteView
from migration_runs.selectors.trail_views import ChainView, EventView, TrailEvent
from migration_runs.selectors.window_views import CheckView, RoundView, WindowView
from migration_runs.services.handover_facts import Fact

HOUR = timedelta(hours=1)
VERDICTS = ("pass", "pass", "warn", "closed", "fail", "missed", "running", "due_now", "due")
STATES = {"missed": "missed", "running": "running", "due_now": "due", "due": "due"}


def window_at(now: datetime) -> WindowView:
    """A window with an hour of each verdict."""
    begun = now - 8 * HOUR
    rounds = tuple(
        RoundView(number, begun + number * HOUR, verdict, (_check(number, verdict, begun + number * HOUR),))
        for number, verdict in enumerate(VERDICTS, 1)
    )
    return WindowView(
        number=2,
        started_at=begun,
        ends_at=begun + 24 * HOUR,
        ended_at=None,
        end_reason="",
        whole=False,
        rounds=rounds,
        counts={"fail": 1, "missed": 1},
        open_checks=5,
        open_needed=12,
        next_due=now + HOUR,
        now=now,
    )


def _check(number: int, verdict: str, at: datetime) -> CheckView:
    return CheckView(
        key="lag",
        title="Bars are fresh",
        round=number,
        due_at=at,
        late_after=at + HOUR / 4,
        state=STATES.get(verdict, "done"),
        verdict=verdict,
        value=4.0 * number,
        detail=LONG,
        bound="at most 30 s",
        market_open=verdict != "closed",
        finished_at=at + timedelta(seconds=3) if verdict == "fail" else None,
        what_to_do="Look at the feed.",
        unit="seconds",
        rule="warns above 20 s, fails above 30 s",
        said=f"{4 * number} s",
    )


def charts_of(window: WindowView) -> ChartsView:
    """A chart on which everything is that a chart may have, and a value that stands still."""
    rows = tuple(
        ValueRow(view.number, view.due_at, view.checks[0].said, view.verdict, "") for view in window.rounds
    )
    chart = ChartView(
        key="lag",
        title="Age of the newest bar",
        label="From 4 to 36 s; warns above 20, fails above 30 s",
        newest="36 s",
        lines=("0,130 40,120 80,60", "120,110 140,20"),
        dots=(Dot(80, 60, "warn"), Dot(140, 20, "fail")),
        missed=(160.0,),
        limits=(LimitLine(70, "warn"), LimitLine(35, "fail")),
        grid=(0.0, HEIGHT / 2, HEIGHT),
        closed=(Band(85, 30),),
        future=Band(180, WIDTH - 180),
        y_labels=("40 s", "20 s", "0 s"),
        x_labels=(window.started_at, window.now, window.ends_at),
        legend=(("warn", "warns above 20 s"), ("fail", "fails above 30 s")),
        range_said="4 to 36 s",
        rows=rows,
    )
    flat = FlatView("orphans", "Rows without a partner", "0", 7, "fails above 0")
    return ChartsView((chart,), (flat,))


def handovers_at(now: datetime) -> tuple[HandoverView, ...]:
    """The card before anybody hands over, while it waits for its reader, and while it waits for another."""
    facts = (
        Fact("State", ("dxy_1m-12 is in progress, phase 8 is running.", LONG)),
        Fact("Watch", ("The feed.",)),
    )
    card = CardView(
        number=1,
        giver="s.novak",
        taker="p.ito",
        starts_at=now,
        ends_at=None,
        given_at=now,
        taken_at=None,
        withdrawn_at=None,
        withdrawn_by="",
        withdraw_reason="",
        facts=facts,
    )
    notes = (NoteView(1, "s.novak", now, LONG, new=True),)

    def view(waiting: CardView | None, *, for_me: bool) -> HandoverView:
        return HandoverView(
            watcher="s.novak",
            oncall="s.novak",
            facts=facts,
            open=waiting,
            last=None,
            notes=notes,
            history=(),
            for_me=for_me,
            may_note=True,
            may_give=waiting is None,
            may_withdraw=waiting is not None,
            why_not="",
        )

    return view(None, for_me=False), view(card, for_me=True), view(card, for_me=False)


def chains_at(now: datetime) -> tuple[ChainView, ...]:
    """What a reading of the trail may have found."""
    return (
        ChainView("chain_whole", now, 412, None, "", 509, DIGEST),
        ChainView("chain_late", now - 3 * HOUR, 412, None, "", 509, DIGEST),
        ChainView("chain_unread", None, 0, None, "", 7, DIGEST),
        ChainView("chain_broken", now, 411, 412, "its hash is not that of its content", 509, DIGEST),
    )


def events_at(now: datetime) -> tuple[TrailEvent, ...]:
    """Events as the trail tells them: short, and long."""
    told = ("m.okafor started phase 4 of dxy_1m-12", f"r.costa was refused: {LONG}")
    return tuple(_event(place, sentence, now) for place, sentence in enumerate(told, 411))


def _event(place: int, sentence: str, now: datetime) -> TrailEvent:
    event = EventView(place, now, "m.okafor", "web", "phase.start", sentence, {}, DIGEST)
    raw: dict[str, Any] = {"action": "phase.start", "seq": place}
    return TrailEvent(
        event, "dxy_1m-12", 1, "dxy_1m-12", DIGEST, raw, f'{{"action": "phase.start", "seq": {place}}}'
    )


BLOCKS: tuple[Block, ...] = (
    Paragraph(LONG, strong="A paragraph:"),
    Items((("First:", "what is in it."), ("", LONG))),
    Items((("Hold", "on the run page."), ("Preview", "changes nothing.")), ordered=True),
    Facts(
        (("Moves", "rows of derived_data_bars to data_bars"), ("Key", "canonical_symbol, timeframe, ts_utc"))
    ),
    Table(
        ("Phase", "Owner", "Minutes", "State"),
        (
            (Cell("4 backfill", note="second line"), Cell("m.okafor"), Cell("20"), Cell(state="running")),
            (Cell("5 code switch"), Cell("j.tan"), Cell("30"), Cell(state="pending")),
        ),
        numbers=frozenset({2}),
    ),
    Table(("Empty",), (), empty="Nothing is known yet, and what will bring it here."),
    Code("4_backfill/copy.sql", "SELECT 1 -- a comment\n  FROM bars WHERE name = 'DXY';"),
)
"""A block of each kind of which documents are made."""
