"""The shift handover: the card to read and print, and what is done with it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from migration_runs.admin.forms import ReasonForm
from migration_runs.admin.handover_forms import HandOverForm, NoteForm, TakeForm
from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.exceptions import Refused
from migration_runs.selectors.handover import HandoverView, handover_of
from migration_runs.selectors.run_page import run_view
from migration_runs.services import handover, people

HOW = "web"
ASKS_FIRST = 422
DONE = {
    "note": "The note is on the card.",
    "give": "The card waits for {to}. Until it is taken, the watch stays where it is.",
    "take": "You have the watch. Whatever oncall is told, you are told too.",
    "withdraw": "Withdrawn. The watch stays where it was.",
}


@require_GET
@for_readers
def handover_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """The card, its notes, and the handovers before it."""
    return _page(request, run_id, {})


@require_POST
@for_readers
def handover_act(request: HttpRequest, run_id: int, asked: str) -> HttpResponse:
    """Write a note, hand over, take over or withdraw. What is refused comes back with its reason."""
    if asked not in DONE:
        raise Http404(f"a handover has no {asked}")
    form = _forms(request, handover_of(run_id, reader(request)), asked)[asked]
    if form.is_valid():
        try:
            _do(request, run_id, asked, form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, DONE[asked].format(to=form.cleaned_data.get("to", "")))
            return redirect("admin:migration_runs_run_handover", run_id=run_id)
    return _page(request, run_id, {asked: form})


def _do(request: HttpRequest, run_id: int, asked: str, given: dict[str, Any]) -> None:
    who: dict[str, Any] = {"person": reader(request), "how": HOW}
    if asked == "note":
        handover.write_note(run_id, text=given["text"], **who)
    elif asked == "give":
        handover.hand_over(
            run_id, to=given["to"], starts_at=given["starts_at"], ends_at=given["ends_at"], **who
        )
    elif asked == "take":
        handover.take_over(run_id, number=given["number"], read_notes=given["read_notes"], **who)
    else:
        handover.withdraw(run_id, reason=given["reason"], **who)


def _page(request: HttpRequest, run_id: int, answered: dict[str, forms.Form]) -> HttpResponse:
    run = run_view(run_id, person=reader(request))
    card = handover_of(run_id, reader(request))
    more = {
        "tab": "monitoring",
        "page_title": "Shift handover",
        "card": card,
        "forms": _forms(request, card, "") | answered,
        "refused": [
            str(error)
            for asked, form in answered.items()
            if not _on_page(card, asked)
            for error in form.non_field_errors()
        ],
    }
    status = ASKS_FIRST if answered else 200
    return render(request, "migration_runs/handover.html", context(request, run, **more), status=status)


def _on_page(card: HandoverView, asked: str) -> bool:
    """Whether the page still has the form that was sent: then its errors stand there."""
    if asked == "note":
        return card.may_note
    if asked == "give":
        return card.open is None and card.may_give
    return card.open is not None and (card.for_me if asked == "take" else card.may_withdraw)


def _forms(request: HttpRequest, card: HandoverView, asked: str) -> dict[str, forms.Form]:
    """The page's forms; the one that was sent is filled."""

    def sent(name: str) -> Any:
        return request.POST if asked == name else None

    takers = handover.takers(people.actor_of(reader(request), how=HOW))
    return {
        "note": NoteForm(sent("note")),
        "give": HandOverForm(sent("give"), takers=takers),
        "take": TakeForm(
            sent("take"),
            initial={"number": card.open.number if card.open else None, "read_notes": card.newest_note},
        ),
        "withdraw": ReasonForm(sent("withdraw")),
    }
