"""A tiny benchmark: the two ways of every line do the same work, and the report says what it should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from bench import __main__ as program
from bench import measuring, report, world
from bench.case import Case, Line, Timed, UnlikeError, Ways
from bench.cases import CASES
from bench.cases.p01_copy import CASE as COPY
from bench.cases.p06_dual_write import CASE as DUAL_WRITE
from bench.cases.p06_dual_write import Writer
from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls

ROWS = 2_000
KEYS = {"id", "what", "against", "ours", "baseline", "ratio", "target", "met", "all_ours", "all_baseline"}


@pytest.fixture
def small(target: TargetUrls, cluster: embedded.Cluster) -> world.World:
    """The benchmark's tables in the test's own database."""
    return world.make(cluster.databases, rows=ROWS, name=target.dbname)


def of(small: world.World, *words: str) -> list[measuring.Result]:
    return list(
        measuring.measure(
            CASES,
            small,
            chosen=lambda line: any(line.chosen_by(word) for word in words),
            repetitions=1,
            tell=lambda _: None,
        )
    )


def triggers_and_ledgers(small: world.World) -> int:
    with psycopg.connect(small.urls.dsn) as conn:
        row = conn.execute(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'phasegate%')"
            " + (SELECT count(*) FROM pg_namespace WHERE nspname = 'phasegate')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_every_figure_has_an_id_of_its_own() -> None:
    ids = [line.id for case in CASES for line in case.lines]
    assert len(set(ids)) == len(ids)


def test_a_word_chooses_a_figure_and_all_that_are_part_of_it() -> None:
    line = Line("P1.x", "what", "baseline", None)
    assert line.chosen_by("P1")
    assert line.chosen_by("p1.X")
    assert not line.chosen_by("P")
    assert not Line("P12", "what", "baseline", None).chosen_by("P1")


def test_both_copies_and_both_comparisons_do_the_same_work(small: world.World) -> None:
    results = of(small, "P1", "P2", "P5")
    assert [result.line.id for result in results] == ["P1", "P2", "P5.except", "P5.counts"]
    assert triggers_and_ledgers(small) == 0

    content = report.as_json(results, machine={"cores": 2}, rows=ROWS)
    assert set(content) == {"machine", "rows", "results"}
    assert all(set(line) == KEYS for line in content["results"])
    for line in content["results"]:
        assert line["ratio"] == pytest.approx(line["ours"] / line["baseline"])
        assert line["met"] == (None if line["target"] is None else line["ratio"] <= line["target"])


def test_a_copy_has_every_active_row_of_history_and_no_other(small: world.World) -> None:
    with COPY.open(small) as ways:
        for way in (ways["P1"].ours, ways["P1"].baseline):
            timed = way()
            assert small.one("count_both") == (ROWS, ROWS)
            assert isinstance(timed.outcome, tuple)
            assert timed.outcome[0] == ROWS
            assert small.one("except_both") == (0, 0)


def test_written_rows_arrive_with_triggers_and_stay_away_without(small: world.World) -> None:
    with DUAL_WRITE.open(small) as ways:
        for line in ("P6.insert.60", "P6.elsewhere.update.60", "P6.hand.update.60", "P6.both.insert.1"):
            assert ways[line].ours().outcome == ways[line].baseline().outcome
    assert triggers_and_ledgers(small) == 0
    assert small.one("count_both") == (ROWS, 0)


def test_a_mirror_that_mirrors_nothing_is_not_measured(
    small: world.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    enable = Writer._enable
    with DUAL_WRITE.open(small) as ways:
        monkeypatch.setattr(Writer, "_enable", lambda writer, _: enable(writer, ()))
        with pytest.raises(UnlikeError, match="bars were written and 0 arrived"):
            ways["P6.insert.60"].ours()


class Unlike(Case):
    """Two ways that come to different ends."""

    lines = (Line("X", "what", "baseline", 1.0),)

    @contextmanager
    def open(self, world: world.World) -> Iterator[dict[str, Ways]]:
        yield {"X": Ways(ours=lambda: Timed(1.0, "this"), baseline=lambda: Timed(1.0, "that"))}


def test_ways_that_come_to_different_ends_give_no_figure(small: world.World) -> None:
    with pytest.raises(UnlikeError, match="X: not the same outcome"):
        list(measuring.measure([Unlike()], small, chosen=lambda _: True, repetitions=1, tell=lambda _: None))


def test_the_program_writes_the_table_and_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "results.json"
    arguments = ["--rows", str(ROWS), "--only", "P5.counts", "--repetitions", "1", "--output", str(output)]
    assert program.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "P5.counts" in printed
    assert "ratio" in printed
    content = json.loads(output.read_text(encoding="utf-8"))
    assert content["rows"] == ROWS
    assert content["machine"]["postgresql"]["fsync"] == "on"
    assert [line["id"] for line in content["results"]] == ["P5.counts"]


@pytest.mark.parametrize("arguments", [["--rows", "5"], ["--only", "P99"], ["--repetitions", "0"]])
def test_a_wrong_argument_is_refused_before_anything_starts(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(arguments) == 2
    assert capsys.readouterr().err
