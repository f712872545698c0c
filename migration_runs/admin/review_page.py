"""The plan of a run: everything that its signer signs, on one page, with the form that signs it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from migration_runs.admin.forms import ActionForm
from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.selectors.review import review_of
from migration_runs.selectors.run_page import run_view
from migration_runs.services.plan_store import plan_of


@require_GET
@for_readers
def plan_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """Decisions, risks, locks, what differs from the last plan, every step with its SQL; and the decision."""
    run = run_view(run_id, person=reader(request))
    runbook = plan_of(run.digest).runbook
    approvals = [row for row in run.sign_offs if row.gate == "plan"]
    mine = next((row.action for row in approvals if row.action), None)
    more = {
        "tab": "plan",
        "page_title": "Plan",
        "texts": runbook.texts,
        "scope": runbook.move.scope.items(),
        "key": runbook.move.key,
        "review": review_of(run),
        "approvals": approvals,
        "approved": sum(row.state == "given" for row in approvals),
        "mine": mine,
        "withdraw": run.action("withdraw"),
        "form": ActionForm(
            comment="Comment (needed to send back)",
            password=True,
            read=True,
            initial={"digest": run.digest},
        )
        if mine
        else None,
    }
    return render(request, "migration_runs/plan.html", context(request, run, **more))
