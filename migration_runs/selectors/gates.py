"""The sign-off matrix: every signature that a run needs, in order, and where it stands."""

from __future__ import annotations

from migration_runs import phases
from migration_runs.models import Run, SignOff
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.views import SignOffView


def required(plan: Plan) -> list[tuple[str, str, Role]]:
    """Gate, its label and the role, for every signature that the plan asks for."""
    wanted = [("plan", "Plan", role) for role in plan.runbook.approvals]
    for declared in plan.runbook.phases:
        fixed = phases.by_number(declared.number)
        wanted += [(f"start:{fixed.number}", f"{fixed.number} start", role) for role in fixed.start_sign_off]
        wanted += [
            (f"phase:{fixed.number}", f"{fixed.number} {fixed.title}", role) for role in declared.sign_off
        ]
    return wanted


def sign_off_matrix(run: Run, plan: Plan, assigned: dict[Role, str]) -> tuple[SignOffView, ...]:
    """One row per required signature, with the latest that was given for it."""
    given: dict[tuple[str, str], SignOff] = {}
    for row in run.sign_offs.select_related("person").order_by("at"):
        given[row.gate, row.role] = row
    open_gates = _open_gates(run)
    views = []
    for gate, label, role in required(plan):
        row = given.get((gate, str(role)))
        person = row.person.username if row else assigned.get(role, "")
        state = _state(row, gate, open_gates)
        shown = state in {"given", "void", "refused"}
        views.append(
            SignOffView(
                gate=gate,
                gate_label=label,
                role=role,
                person=person,
                state=state,
                at=row.at if row and shown else None,
                comment=row.comment if row and shown else "",
                why_void=row.void_reason if row and state == "void" else "",
            )
        )
    return tuple(views)


def _open_gates(run: Run) -> set[str]:
    gates = {"plan"} if run.state == "awaiting_approval" else set()
    for phase in run.phases.all():
        if phase.state == "awaiting_sign_off":
            gates.add(f"phase:{phase.number}")
        if phase.number == 9 and phase.state == "ready":
            gates.add("start:9")
    return gates


def _state(row: SignOff | None, gate: str, open_gates: set[str]) -> str:
    if row is None:
        if gate in open_gates:
            return "next"
        return "locked" if gate in {"start:9", "phase:9"} else "to_come"
    if row.void_at is not None:
        return "void"
    return "given" if row.approved else "refused"
