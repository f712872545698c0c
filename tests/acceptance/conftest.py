"""Fixtures of the acceptance tests: whole runs of the shipped runbook by the engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from controlpanel.embedded import Cluster
from controlpanel.embedded_databases import TargetUrls
from migration_runs.runbook import freeze, loader
from tests.acceptance.engine_run import EngineRun
from tests.unit.runbook_folder import Folder

DXY = Path(__file__).parents[2] / "bars" / "runbooks" / "dxy_1m"

StartRun = Callable[..., EngineRun]


@pytest.fixture
def dxy_folder(tmp_path: Path) -> Folder:
    """A copy of the dxy_1m runbook for a test to break."""
    return Folder(Path(shutil.copytree(DXY, tmp_path / "dxy_1m")))


@pytest.fixture
def start_run(bars_target: TargetUrls, scratch: TargetUrls, tmp_path: Path, cluster: Cluster) -> StartRun:
    """``start_run(folder, data_decision=..., clock_speed=...)``: a run of dxy_1m on ``bars_target``."""

    def start(
        folder: Path = DXY,
        *,
        data_decision: Literal["keep", "delete"] = "keep",
        clock_speed: float = 1.0,
    ) -> EngineRun:
        backups = tmp_path / "backups"
        backups.mkdir(exist_ok=True)
        plan = freeze.freeze(
            loader.load(folder), target="bars", data_decision=data_decision, clock_speed=clock_speed
        )
        return EngineRun(plan, bars_target, scratch, backups, cluster.pg_bin_dir)

    return start
