"""A tiny benchmark: the two ways of every line do the same work, and the report says what it should."""

from __future__ import annotations

import importlib
import importlib.util
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench import __main__ as program
from bench import measuring, report, world
from bench.case import Case, Line, Measured, UnlikeError, Ways
from bench.cases import CASES
from bench.cases.p01_copy import CASE as COPY
from bench.cases.p01_copy import insert
from bench.cases.p03_live_writes import CASE as LIVE_WRITES
from bench.cases.p06_dual_write import CASE as DUAL_WRITE
from bench.cases.p06_dual_write import Writer
from bench.cases.p07_derivation import CASE as DERIVATION
from bench.cases.p08_aggregation import CASE as AGGREGATION
from bench.cases.p12_memory import CASE as MEMORY
from bench.live_writer import Writing, writing
from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls

ROWS = 2_000
KEYS = {
    "id", "what", "against", "unit", "rows", "ours", "baseline", "ratio", "target", "met", "note", "all_ours",
    "all_baseline",
}  # fmt: skip


@pytest.fixture
def small(target: TargetUrls, cluster: embedded.Cluster) -> world.World:
    """The benchmark's tables in the test's own database."""
    return world.make(cluster, rows=ROWS, name=target.dbname)


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
    results = of(small, "P1", "P2", "P5.except", "P5.day", "P5.counts")
    assert [result.line.id for result in results] == [
        "P1", "P1.dump", "P2", "P5.except", "P5.day", "P5.counts",
    ]  # fmt: skip
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
            measured = way()
            assert small.one("count_both") == (ROWS, ROWS)
            assert isinstance(measured.outcome, tuple)
            assert measured.outcome[0] == ROWS
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
        yield {
            "X": Ways(ours=lambda: Measured.time(1.0, "this"), baseline=lambda: Measured.time(1.0, "that"))
        }


def test_ways_that_come_to_different_ends_give_no_figure(small: world.World) -> None:
    with pytest.raises(UnlikeError, match="X: not the same outcome"):
        list(measuring.measure([Unlike()], small, chosen=lambda _: True, repetitions=1, tell=lambda _: None))


NEEDED = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("polars", "pandas", "reladiff")),
    reason="what the benchmarks compare with is not installed: make bench installs requirements-bench.txt",
)


@NEEDED
def test_every_way_to_the_index_and_to_longer_bars_comes_to_the_same(small: world.World) -> None:
    wanted = [line.id for case in (DERIVATION, AGGREGATION) for line in case.lines]
    assert [result.line.id for result in of(small, "P7", "P8")] == wanted


def test_growth_is_measured_when_asked_for_alone(small: world.World) -> None:
    assert of(small, "P4") == []
    (result,) = of(replace(small, growth=2 * ROWS), "P4")
    assert result.note == "4,000 rows against 2,000"


def test_a_live_writer_writes_during_the_copy_and_both_sides_are_equal(small: world.World) -> None:
    with LIVE_WRITES.open(small) as ways:
        for way in (ways["P3.wait"].ours, ways["P3.wait"].baseline, ways["P3.copy"].baseline):
            assert way().outcome == (0, 0)
    assert triggers_and_ledgers(small) == 0


def test_writes_that_reach_one_table_alone_show_in_the_outcome(small: world.World) -> None:
    small.empty_target()
    insert(small)
    assert small.one("except_both") == (0, 0)
    what = Writing(url=small.urls.app_url, start=world.HISTORY_START.isoformat(), minutes=ROWS, both=False)
    with writing(what) as seen:
        time.sleep(0.5)
    assert seen.writes > 0
    assert seen.longest <= seen.seconds
    lacking, surplus = small.one("except_both")
    assert 0 < lacking == surplus <= seen.writes


def test_pages_of_a_full_panel_take_as_many_queries_as_those_of_a_new_one(small: world.World) -> None:
    results = of(small, "P9")
    assert [result.line.id for result in results] == ["P9.run", "P9.poll", "P9.list", "P9.start"]
    assert all(result.ours > 0 for result in results)


def test_an_audit_trail_is_written_by_many_and_verified(small: world.World) -> None:
    append, verify = of(small, "P11")
    assert (append.line.id, verify.line.id) == ("P11.append", "P11.verify")
    assert append.ours > 0


def test_phases_with_nothing_to_do_are_done_by_a_real_worker(small: world.World) -> None:
    (result,) = of(small, "P10")
    assert result.ours > 0
    with psycopg.connect(small.urls.dsn) as conn:
        made = conn.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'empty_source_%'").fetchone()
    assert made == (1,)


def test_memory_is_that_of_real_processes_which_copied_and_sent_everything(small: world.World) -> None:
    results = of(small, "P12")
    assert [result.line.id for result in results] == ["P12.copy", "P12.verify", "P12.web"]
    for result in results:
        assert result.ours > 10
        assert result.baseline > 10
    with psycopg.connect(small.urls.dsn) as conn:
        left = conn.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'phasegate%'").fetchone()
    assert left == (0,)


def test_a_log_that_did_not_come_whole_is_not_measured(small: world.World) -> None:
    with MEMORY.open(replace(small, rows=10)) as ways:
        with psycopg.connect(small.databases.url("postgres", f"{small.urls.dbname}_control")) as conn:
            conn.execute("SET session_replication_role = replica")
            conn.execute("DELETE FROM migration_runs_logline WHERE id % 2 = 0")
        with pytest.raises(UnlikeError, match="of 10 log lines 5 came"):
            ways["P12.web"].ours()


@NEEDED
def test_reladiff_finds_what_was_altered_and_nothing_where_nothing_was(small: world.World) -> None:
    results = of(small, "P5.hashdiff", "P5.joindiff")
    assert [result.line.id for result in results] == ["P5.hashdiff", "P5.joindiff"]
    for result in results:
        assert result.note == "of 100 values altered by 1e-09: ours finds 100, the baseline 100"
    with psycopg.connect(small.urls.dsn) as conn:
        left = conn.execute(
            "SELECT (SELECT count(*) FROM pg_views WHERE schemaname = 'public'),"
            " (SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_minute')"
        ).fetchone()
    assert left == (0, 0)


def test_what_is_not_installed_is_said_and_the_rest_measured(
    small: world.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    told: list[str] = []
    results = measuring.measure([DERIVATION], small, chosen=lambda _: True, repetitions=1, tell=told.append)
    assert [result.line.id for result in results] == ["P7.pivot"]
    assert [line for line in told if "NOT MEASURED: polars not installed" in line]


def test_a_derivation_with_another_value_is_not_measured(
    small: world.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = world.World.execute

    def wrong(self: world.World, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        execute(self, name, parameters)
        if name == "derivation_pivot":
            with self.session(self.urls.dsn) as conn:
                conn.execute(
                    "UPDATE data_bars SET close = close + 1e-8 WHERE ts_utc = %s", [world.HISTORY_START]
                )

    monkeypatch.setattr(world.World, "execute", wrong)
    with DERIVATION.open(small) as ways, pytest.raises(UnlikeError, match="1999 of them right"):
        ways["P7.pivot"].baseline()


@NEEDED
def test_an_aggregation_that_lacks_a_window_is_not_measured(
    small: world.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    polars_bars = importlib.import_module("bench.peers.polars_bars")
    aggregated = polars_bars.aggregated
    monkeypatch.setattr(
        polars_bars, "aggregated", lambda *given: aggregated(*given).split(b"\n", maxsplit=1)[1]
    )
    with (
        AGGREGATION.open(small) as ways,
        pytest.raises(UnlikeError, match="428 bars were made, 429 should have been"),
    ):
        ways["P8.polars"].baseline()


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


def test_what_was_measured_before_an_interruption_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = measuring.Result(Line("P5.counts", "", "", None), 1.0, 2.0, (1.0,), (2.0,))

    def interrupted(*_: object, **__: object) -> Iterator[measuring.Result]:
        yield counts
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "measure", interrupted)
    output = tmp_path / "results.json"
    assert program.main(["--rows", str(ROWS), "--output", str(output)]) == 130
    assert f"1 lines are in {output}" in capsys.readouterr().err
    assert [line["id"] for line in report.load(output)] == ["P5.counts"]


def test_lines_measured_before_stay_when_told_so(tmp_path: Path) -> None:
    def found(*ids: str, rows: int) -> dict[str, Any]:
        return report.as_json(
            [measuring.Result(Line(one, "", "", None), 1.0, 2.0, (1.0,), (2.0,)) for one in ids],
            machine={},
            rows=rows,
        )

    output = tmp_path / "results.json"
    report.write(output, found("P8", "P1", "gone", rows=10))
    merged = report.merged(found("P2", "P1", rows=20), report.load(output), order=["P1", "P2", "P8"])
    assert [(line["id"], line["rows"]) for line in merged["results"]] == [("P1", 20), ("P2", 20), ("P8", 10)]


@pytest.mark.parametrize(
    "arguments", [["--rows", "5"], ["--only", "P99"], ["--repetitions", "0"], ["--growth", "1"]]
)
def test_a_wrong_argument_is_refused_before_anything_starts(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(arguments) == 2
    assert capsys.readouterr().err
