"""How much memory a process holds, and held at most."""

from __future__ import annotations

from pathlib import Path

import psutil

PROC = Path("/proc")
RESET_PEAK = "5"


def available() -> bool:
    """Whether the system tells peaks (Linux)."""
    return (PROC / "self" / "clear_refs").exists()


def child(parent: int) -> int:
    """The one child of a process that forks workers. Raises LookupError when there is not exactly one."""
    children = psutil.Process(parent).children()
    if len(children) != 1:
        raise LookupError(f"process {parent} has {len(children)} children, not 1")
    return int(children[0].pid)


def resident(pid: int) -> float:
    """Megabytes now."""
    return _megabytes(pid, "VmRSS")


def forget_peak(pid: int) -> None:
    """Let the peak begin anew from what is held now."""
    (PROC / str(pid) / "clear_refs").write_text(RESET_PEAK, encoding="ascii")


def peak(pid: int) -> float:
    """The most megabytes since ``forget_peak``."""
    return _megabytes(pid, "VmHWM")


def _megabytes(pid: int, name: str) -> float:
    for line in (PROC / str(pid) / "status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1000
    raise LookupError(f"process {pid} tells no {name}")
