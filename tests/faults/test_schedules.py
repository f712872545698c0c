"""Random schedules of faults: one to the end and one back with every test run, and a judge that sees harm."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.faults.matrix import FAULTS
from tests.faults.schedules import tally
from tests.faults.schedules.playing import Played, play
from tests.faults.schedules.schedule import DOORS, Schedule, draw
from tests.faults.schedules.striking import TOUCHES
from tests.faults.world import Stage, World

pytestmark = pytest.mark.faults

FORWARD, BACK = 109, 117


@pytest.mark.parametrize("seed", [FORWARD, BACK])
def test_a_random_schedule_violates_nothing(world: World, seed: int) -> None:
    schedule = draw(seed)
    assert (schedule.turn is None) == (seed == FORWARD)
    played = play(world, schedule)
    assert played.injected, schedule
    assert not played.violations, played


CALM = Schedule(seed=0, start=9, decision="delete", turn=None, strikes=(), gestures=())


def _delete_a_row(stage: Stage) -> None:
    """Behind the triggers' back, which are gone by then."""
    _execute(stage, "DELETE FROM things_new WHERE kind = 'thing' AND n = 7")


def _leave_a_trigger(stage: Stage) -> None:
    _execute(
        stage,
        "CREATE FUNCTION phasegate.stray() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER stray AFTER INSERT ON things_old EXECUTE FUNCTION phasegate.stray()",
    )


def test_the_judge_sees_harm_and_nothing_else(world: World) -> None:
    assert play(world, CALM).violations == {}
    harmed = play(world, CALM, meddling=_delete_a_row).violations
    assert harmed["nothing lost"] == ["thing 7 is None in the new table, committed was ('history 7',)"] * 2
    left = play(world, CALM, meddling=_leave_a_trigger).violations
    assert left["nothing left behind"] == ["trigger stray on things_old"]


def test_a_schedule_comes_from_its_seed_alone() -> None:
    drawn = [draw(seed) for seed in range(1000)]
    assert drawn == [draw(seed) for seed in range(1000)]
    assert len({str(one).partition(":")[2] for one in drawn}) == len(drawn)


def test_every_fault_start_end_and_door_is_drawn() -> None:
    drawn = [draw(seed) for seed in range(1000)]
    assert {strike.fault for one in drawn for strike in one.strikes} == set(FAULTS) == set(TOUCHES)
    assert {one.start for one in drawn} == set(range(1, 10))
    assert {one.decision for one in drawn} == {"keep", "delete"}
    assert {strike.door for one in drawn for strike in one.strikes} == {"", *DOORS.values()}
    assert {one.turn.phase for one in drawn if one.turn} == set(range(1, 11))
    assert 350 < sum(one.turn is not None for one in drawn) < 450
    for one in drawn:
        doors = [strike.door for strike in one.strikes if strike.door]
        assert len(doors) == len(set(doors)), one


def test_the_tally_counts_what_hit_and_what_was_violated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "RESULTS", tmp_path / "results" / "random.json")
    counts = tally.Tally(first=7)
    counts.add(Played(7, ("lock", "freeze", "lock"), {}, (), 10.0, 1.0))
    assert list(counts.lines())[-1] == "3 faults injected, 0 violations"
    counts.add(Played(8, ("clock",), {"chain verifies": ["it does not"]}, (), 12.0, 2.0))
    lines = list(counts.lines())
    assert lines[-1] == "4 faults injected, 1 violations"
    assert "  python -m tests.faults.schedules --replay 8" in lines
    counts.write()
    told = json.loads(tally.RESULTS.read_text())
    hit = {name: number for name, number in told.pop("by_kind").items() if number}
    assert hit == {"freeze": 1, "lock": 2, "clock": 1}
    assert told == {"seed_first": 7, "schedules": 2, "faults_injected": 4, "violations": 1}


def _execute(stage: Stage, text: str) -> None:
    with psycopg.connect(stage.world.target.dsn, autocommit=True) as conn:
        conn.execute(text.encode())
