"""Everything that is measured, in the order in which it is shown. A new figure is a file and a line here."""

from __future__ import annotations

from bench.case import Case
from bench.cases import (
    p01_copy,
    p02_two_workers,
    p03_live_writes,
    p04_growth,
    p05_verification,
    p06_dual_write,
    p07_derivation,
    p08_aggregation,
    p09_pages,
    p10_control,
    p11_audit,
    p12_memory,
)

CASES: tuple[Case, ...] = (
    p01_copy.CASE,
    p02_two_workers.CASE,
    p03_live_writes.CASE,
    p04_growth.CASE,
    p05_verification.CASE,
    p06_dual_write.CASE,
    p07_derivation.CASE,
    p08_aggregation.CASE,
    p09_pages.CASE,
    p10_control.CASE,
    p11_audit.CASE,
    p12_memory.CASE,
)
