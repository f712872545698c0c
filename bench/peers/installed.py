"""Which of the packages that are compared with are installed."""

from __future__ import annotations

import importlib.util

HOW = "make bench installs it from requirements-bench.txt"


def lacking(*packages: str) -> str:
    """Empty, or which of the packages are not there and how to get them."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed ({HOW})" if absent else ""
