"""Everything that is measured, in the order in which it is shown. A new figure is a file and a line here."""

from __future__ import annotations

from bench.case import Case
from bench.cases import p01_copy, p02_two_workers, p05_verification, p06_dual_write

CASES: tuple[Case, ...] = (p01_copy.CASE, p02_two_workers.CASE, p05_verification.CASE, p06_dual_write.CASE)
