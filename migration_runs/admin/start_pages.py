"""The live part of the start page, and the style page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from migration_runs.admin.pages import reader
from migration_runs.selectors.start_page import start_view


@require_GET
def start_live(request: HttpRequest) -> HttpResponse:
    """The start page's live part, for whoever may log in: it shows to each what they may see."""
    shown = {"start": start_view(reader(request))}
    return render(request, "migration_runs/start/_live.html", shown)
