"""The real plan's move with nothing around it: what is measured is the copy and the comparison."""

from __future__ import annotations

from bench.panel.empty_plan import NOTHING
from migration_runs.runbook.plan import Plan

COPY, VERIFY = 4, 5
"""The phases that do something."""


def moving_plan(plan: Plan) -> Plan:
    """Phase 4 turns dual-write on, copies and settles by one worker; phase 5 compares."""
    body = plan.model_dump(mode="json")
    runbook = body["runbook"]
    steps = runbook["phases"][COPY - 1]["steps"]
    runbook["slug"] = "moving"  # a run of dxy_1m would get the shipped runbook when it is submitted
    runbook["readiness"] = []
    runbook["move"]["copying"]["workers"] = 1
    for phase in runbook["phases"]:
        phase["steps"] = [NOTHING]
    runbook["phases"][COPY - 1]["steps"] = [step for step in steps if step["kind"] in {"dual_write", "copy"}]
    runbook["phases"][VERIFY - 1]["steps"] = [step for step in steps if step["kind"] == "verify"]
    return Plan.model_validate(body)
