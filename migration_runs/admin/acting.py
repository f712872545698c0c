"""Pages that act: a POST asks a service, the service decides. A GET only shows what the POST would do."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from migration_runs import menu, phases
from migration_runs.admin.forms import ActionForm, EvidenceForm, NewRunForm
from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.exceptions import EngineError, Refused, RunbookInvalid
from migration_runs.runbook.plan import Plan
from migration_runs.selectors import rollback
from migration_runs.selectors.gates import required
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView
from migration_runs.services import confirmations, gates, people, plans, readiness, step_up
from migration_runs.services.plan_store import plan_of
from migration_runs.services.step_up import StepUp

HOW = "web"
ASKS_FIRST = 422  # the form comes back with what is wrong
REFUSE = "refuse"
REFUSED = "You refused to sign. Your reason is on the audit trail."


def _back(run_id: int) -> HttpResponse:
    return redirect("admin:migration_runs_run_change", run_id=run_id)


@require_http_methods(["GET", "POST"])
@for_readers
def act(request: HttpRequest, run_id: int, verb_name: str) -> HttpResponse:
    """Use a verb on a run: at once where it asks for nothing, else by a form that says what will happen."""
    verb = menu.MENU.get(verb_name)
    if verb is None or verb_name == "roll_back":  # rolling back has its own page, with the preview
        raise Http404(f"there is no verb {verb_name}")
    run = run_view(run_id, person=reader(request))
    phase = _phase_number(request, run)
    refusing = verb_name == "sign" and request.POST.get("decision") == REFUSE
    step_up_to_start = verb_name == "start" and phases.by_number(phase).step_up_to_start
    wants_password = verb.step_up or step_up_to_start
    form = ActionForm(
        request.POST if request.method == "POST" else None,
        comment=verb.comment,
        password=wants_password,
        values=run.settings if verb.values else (),
        password_needed=not refusing,  # refusing is always the safe side
        read=verb_name == "sign" and request.GET.get("gate") == gates.PLAN,
        initial={"digest": run.digest},
    )
    if request.method == "POST" and form.is_valid():
        try:
            proof = _proof(request, form) if wants_password and not refusing else None
            verb.perform(_asked(request, form, run=run, phase=phase, refusing=refusing, proof=proof))
        except Refused as refusal:
            if not (verb.comment or wants_password):
                messages.error(request, str(refusal))
                return _back(run_id)
            form.add_error(None, str(refusal))
        else:
            messages.success(request, REFUSED if refusing else verb.done)
            return _back(run_id)
    more = _act_context(request, run, verb, phase)
    status = ASKS_FIRST if request.method == "POST" else 200
    return render(request, "migration_runs/act.html", context(request, run, form=form, **more), status=status)


def _proof(request: HttpRequest, form: ActionForm) -> StepUp:
    return step_up.prove(reader(request), password=form.cleaned_data["password"])


def _asked(
    request: HttpRequest, form: ActionForm, *, run: RunView, phase: int, refusing: bool, proof: StepUp | None
) -> menu.Request:
    return menu.Request(
        run_id=run.id,
        person=reader(request),
        how=HOW,
        phase=phase,
        gate=request.GET.get("gate"),
        role=request.GET.get("role"),
        digest=form.cleaned_data["digest"],
        comment=form.cleaned_data.get("comment", ""),
        approve=not refusing,
        values=form.changed_values(),
        step_up=proof,
    )


def _phase_number(request: HttpRequest, run: RunView) -> int:
    given = request.GET.get("phase", "")
    known = {str(phase.number) for phase in phases.PHASES}
    return int(given) if given in known else run.current.number


def _act_context(request: HttpRequest, run: RunView, verb: menu.Verb, phase: int) -> dict[str, Any]:
    gate = request.GET.get("gate", "") if verb.name == "sign" else ""
    plan = plan_of(run.digest)
    offered = [action for action in run.actions if action.verb == verb.name]
    if gate:
        role = request.GET.get("role", "")
        offered = [action for action in offered if action.gate == gate and (not role or action.role == role)]
    return {
        "page_title": verb.title,
        "verb": verb,
        "consequence": verb.consequence,
        "gate": gate,
        "gate_label": next((label for name, label, _ in required(plan) if name == gate), gate),
        "role": request.GET.get("role", ""),
        "criteria": _criteria(plan, gate),
        "phase": phase,
        "phase_title": phases.by_number(phase).title,
        "closed": "" if any(action.allowed for action in offered) else _why_closed(run, verb, offered),
    }


def _why_closed(run: RunView, verb: menu.Verb, offered: list[Any]) -> str:
    """Why the verb would be refused now, so that nobody fills a form in vain."""
    return next(
        (action.why_not for action in offered),
        f"{verb.title} is not possible now: {run.name} is {run.state.replace('_', ' ')}, "
        f"phase {run.current.number} {run.current.state.replace('_', ' ')}.",
    )


def _criteria(plan: Plan, gate: str) -> tuple[str, ...]:
    number = gate.removeprefix("phase:")
    if gate.startswith("phase:") and number in {str(phase.number) for phase in phases.PHASES}:
        return plan.runbook.phase(int(number)).success
    return ()


@require_http_methods(["GET", "POST"])
@for_readers
def rollback_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """What a rollback would do now; on POST, with the run's name typed and the password again, do it."""
    run = run_view(run_id, person=reader(request))
    form = ActionForm(
        request.POST if request.method == "POST" else None, name=True, password=True, comment="Why"
    )
    if request.method == "POST" and form.is_valid():
        try:
            menu.MENU["roll_back"].perform(
                menu.Request(
                    run_id=run_id,
                    person=reader(request),
                    how=HOW,
                    typed_name=form.cleaned_data["typed_name"],
                    comment=form.cleaned_data["comment"],
                    step_up=_proof(request, form),
                )
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, menu.MENU["roll_back"].done)
            return _back(run_id)
    preview, problem = None, ""
    try:
        preview = rollback.preview(run_id)
    except (Refused, EngineError) as error:
        problem = str(error)
    places = {(phase.number, step.key): step.place for phase in run.phases for step in phase.steps}
    more = {
        "page_title": "Rollback",
        "form": form,
        "preview": preview,
        "items": [(places.get((item.phase, item.step), item.phase), item) for item in preview.items]
        if preview
        else [],
        "preview_error": problem,
        "action": run.action("roll_back"),
    }
    status = ASKS_FIRST if request.method == "POST" else 200
    return render(request, "migration_runs/rollback.html", context(request, run, **more), status=status)


def _evidence(request: HttpRequest) -> str:
    """The evidence that was typed. Raises Refused for what cannot be kept."""
    form = EvidenceForm(request.POST)
    if not form.is_valid():
        raise Refused(" ".join(map(str, form.errors["evidence"])), rule="evidence")
    return str(form.cleaned_data["evidence"])


@require_POST
@for_readers
def confirm(request: HttpRequest, run_id: int, number: int, step: str) -> HttpResponse:
    """A person's word, with evidence, that something was done elsewhere."""
    try:
        confirmations.confirm(
            run_id, phase=number, step=step, evidence=_evidence(request), person=reader(request), how=HOW
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Confirmed, with your evidence on the audit trail.")
    return _back(run_id)


@require_POST
@for_readers
def tick(request: HttpRequest, run_id: int, item: str) -> HttpResponse:
    """Tick a line of the readiness checklist."""
    try:
        readiness.tick(run_id, item=item, evidence=_evidence(request), person=reader(request), how=HOW)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Ticked.")
    return redirect("admin:migration_runs_run_readiness", run_id=run_id)


def may_write(person: User | AnonymousUser) -> bool:
    """Whether the person has a role that writes runs: who sees the page. The service decides again."""
    return isinstance(person, User) and bool(people.roles_of(person).intersection(plans.AUTHORS))


@require_http_methods(["GET", "POST"])
def new_run(request: HttpRequest) -> HttpResponse:
    """Write a new run: runbook, target, data decision. It is a draft until it is submitted."""
    person = reader(request)
    if not may_write(person):
        raise PermissionDenied
    form = NewRunForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        planned = given["planned_start"]
        try:
            run = plans.create_run(
                runbook_slug=given["runbook"],
                target=given["target"],
                data_decision=given["data_decision"],
                parameters={},
                clock_speed=given["clock_speed"],
                planned_start=planned.astimezone(UTC) if planned else timezone.now(),
                assignments=form.assignments(),
                author=person,
                how=HOW,
            )
        except (Refused, RunbookInvalid) as refusal:
            form.add_error(None, str(refusal))
        else:
            return _back(run.pk)
    status = ASKS_FIRST if request.method == "POST" else 200
    more = {**admin.site.each_context(request), "form": form, "title": "New run"}
    return render(request, "migration_runs/new_run.html", more, status=status)
