"""The page of figures says what the published measurement says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import page
from bench.cases import CASES


def test_the_page_shows_the_published_figures() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_figures(text, page.published()) == text, "run make bench-page"


def test_published_figures_are_known_and_their_targets_are_todays() -> None:
    targets = {line.id: line.target for case in CASES for line in case.lines}
    published = {line["id"]: line["target"] for line in page.published()["results"]}
    assert published
    assert published.items() <= targets.items()


def content(**more: Any) -> dict[str, Any]:
    line = {
        "id": "P3.wait", "against": "a wait", "unit": "s", "rows": 1000000, "ours": 0.05, "baseline": 8.5,
        "ratio": 0.0059, "target": 1 / 150, "met": True, "note": "",
    }  # fmt: skip
    machine = {
        "processor": "A processor", "cores": 2, "memory_gb": 8.1, "load_at_start": [0.1, 0, 0],
        "postgresql": {"server_version": "18", "shared_buffers": "1", "max_wal_size": "2", "fsync": "on"},
    }  # fmt: skip
    return {"machine": machine, "results": [line | more]}


def test_a_line_has_its_size_amounts_ratio_and_verdict() -> None:
    row = "| `P3.wait` | a wait | 1,000,000 | 50.00 ms | 8.50 s | 1/169 x | ≤ 1/150 x | yes |"
    assert row in page.figures(content())
    without = "| `P3.wait` | a wait | 1,000,000 | 50.0 MB | 8.50 s"
    assert without not in page.figures(content(unit="MB"))
    assert "- `P3.wait`: a fact" in page.figures(content(note="a fact"))
    assert "| 1/169 x |  |  |" in page.figures(content(target=None, met=None))


def test_publishing_takes_the_last_measurement_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESULTS", "PUBLISHED", "PAGE"):
        monkeypatch.setattr(page, name, tmp_path / name)
    page.PAGE.write_text(f"before\n{page.BEGIN}old\n{page.END}after\n", encoding="utf-8")
    assert page.main(["--publish"]) == 2
    page.RESULTS.write_text(json.dumps(content()), encoding="utf-8")
    assert page.main(["--publish"]) == 0
    assert page.published() == content()
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "1/169 x" in text


def test_a_page_without_a_place_for_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        page.with_figures("nothing", content())
