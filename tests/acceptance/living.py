"""The bars system alive in threads: feed and aggregator write, restart when another version is deployed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bars import aggregation, deployment, feed, loading, service
from controlpanel.embedded_databases import TargetUrls

TICK_S = 0.1


@dataclass
class LivingBars:
    """Feed and aggregator on one target; ``journal`` is what the feed says it wrote."""

    target: TargetUrls
    journal: Path

    def deploy(self, version: deployment.Version) -> None:
        """Deploy for every component, and wait until those that run have restarted."""
        with psycopg.connect(self.target.app_url, autocommit=True) as conn:
            deployment.deploy(conn, version=version)

    def written(self) -> dict[str, float]:
        """Close by minute of every DXY bar that the feed wrote; the last word on a minute holds."""
        if not self.journal.exists():
            return {}
        lines = self.journal.read_text(encoding="utf-8").splitlines()
        return {row["ts"]: row["close"] for row in map(json.loads, lines)}


@contextmanager
def living(target: TargetUrls, journal: Path, *, speed: float) -> Iterator[LivingBars]:
    """Set the market clock to ``speed`` and let feed and aggregator run until the end of the block."""
    with psycopg.connect(target.app_url) as conn:
        loading.restart_clock(conn, speed=speed)
    stopping = service.StopRequest()
    workers = (feed.Feed(journal=feed.Journal(journal)), aggregation.Aggregator())
    threads = [
        threading.Thread(target=_run, args=(worker, target.app_url, stopping), name=worker.component)
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    try:
        yield LivingBars(target, journal)
    finally:
        stopping.request()
        for thread in threads:
            thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def _run(worker: service.Worker, url: str, stopping: service.StopRequest) -> None:
    """A process that restarts is here a new service with the same worker."""
    while not stopping.is_set():
        service.Service(worker, url=url, tick_seconds=TICK_S, stopping=stopping, restart=lambda: None).run()
