"""A panel whose target lives: web, workers, beat, feed and aggregator are processes, the market runs fast."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg

from bars import loading
from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from tests.processes import Processes


def start(processes: Processes, target: TargetUrls, *, journal: Path, speed: float) -> str:
    """Start everything; the panel's address. The feed notes in ``journal`` what it wrote."""
    with psycopg.connect(target.app_url) as conn:
        loading.restart_clock(conn, speed=speed)
    processes.start_worker("runs,chunks,notifications")
    processes.start_worker("checks,verification", concurrency=3)
    processes.start_beat()
    bars = [sys.executable, "manage.py", "bars"]
    processes.start("feed", [*bars, "feed", "--alias", "bars", "--journal", str(journal)])
    processes.start("aggregator", [*bars, "aggregate", "--alias", "bars"])
    port = embedded.free_port()
    processes.start_web(port)
    return f"http://127.0.0.1:{port}"
