"""What the figures were measured on: facts that say something about speed, no names of hosts or people."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import psutil
import psycopg

SETTINGS = (
    "server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "work_mem",
    "max_wal_size", "max_parallel_workers_per_gather", "jit", "track_functions",
)  # fmt: skip


def facts(dsn: str) -> dict[str, Any]:
    """The machine, how busy it was at the start, and the server's settings that matter."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        rows = conn.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (list(SETTINGS),)
        ).fetchall()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_at_start": [round(value, 2) for value in os.getloadavg()],
        "postgresql": dict(rows),
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
