"""P2: the same copy as P1, shared by two workers."""

from __future__ import annotations

from bench.case import Line
from bench.cases.p01_copy import BASELINE, Copy

CASE = Copy(Line("P2", "copy, two workers", BASELINE, 0.85), workers=2)
