"""The sign-off matrix: every signature that a run needs, in order, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from migration_runs import phases
from migration_runs.models import Run, SignOff
from migration_runs.phases import Role
from migration_runs.runbook.plan import Plan
from migration_runs.selectors.gate_views import SignOffView
from migration_runs.services.gates import PLAN, phase_gate, phase_of, start_gate
from migration_runs.services.offer import Action
from migration_runs.states import ONLY_BACK


def required(plan: Plan) -> list[tuple[str, str, Role]]:
    """Gate, its label and the role, for every signature that the plan asks for."""
    wanted = [(PLAN, label_of(PLAN), role) for role in plan.runbook.approvals]
    for declared in plan.runbook.phases:
        fixed = phases.by_number(declared.number)
        start, close = start_gate(fixed.number), phase_gate(fixed.number)
        wanted += [(start, label_of(start), role) for role in fixed.start_sign_off]
        wanted += [(close, label_of(close), role) for role in declared.sign_off]
    return wanted


def label_of(gate: str) -> str:
    """The gate as a table names it: ``Plan``, ``9 start``, ``4 backfill``."""
    number = phase_of(gate)
    if number is None:
        return "Plan"
    return f"{number} start" if gate == start_gate(number) else f"{number} {phases.by_number(number).title}"


def sign_off_matrix(
    run: Run, plan: Plan, assigned: dict[Role, str], offered: Sequence[Action]
) -> tuple[SignOffView, ...]:
    """One row per required signature, with the latest that was given for it and what is offered instead."""
    given = {(row.gate, row.role): row for row in run.sign_offs.select_related("person").order_by("at")}
    open_gates = _open_gates(run)
    offers = {(offer.gate, offer.role): offer for offer in offered if offer.verb == "sign"}
    views = []
    for gate, label, role in required(plan):
        row = given.get((gate, str(role)))
        offer = offers.get((gate, role))
        state = _state(row, gate, open_gates, over=run.state in ONLY_BACK)
        shown = row if state in {"given", "void", "refused"} else None
        views.append(
            SignOffView(
                gate=gate,
                gate_label=label,
                role=role,
                person=row.person.username if row is not None else assigned.get(role, ""),
                state=state,
                at=shown.at if shown is not None else None,
                comment=shown.comment if shown is not None else "",
                why_void=shown.void_reason if shown is not None and state == "void" else "",
                action=offer if offer is not None and offer.allowed else None,
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


def _state(row: SignOff | None, gate: str, open_gates: set[str], *, over: bool) -> str:
    if row is None:
        if over:
            return "not_asked"
        if gate in open_gates:
            return "next"
        return "locked" if gate in {"start:9", "phase:9"} else "to_come"
    if row.void_at is not None:
        return "void"
    return "given" if row.approved else "refused"
