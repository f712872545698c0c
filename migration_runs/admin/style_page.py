"""The style page: every component in every state, made by the tags and partials that the pages use."""

from __future__ import annotations

import dataclasses

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from migration_runs.admin import style_samples, style_watch
from migration_runs.templatetags.state_looks import STATES

TONES = ("is-ok", "is-warn", "is-bad", "is-missed", "is-run", "is-idle", "is-locked", "is-closed")
TILES = ("pass", "warn", "fail", "missed", "closed", "running", "due", "never")
TABLES = (
    "",
    "pg-table--tight",
    "pg-table--blocks",
    "pg-table--blocks pg-table--pair",
    "pg-table--blocks pg-table--lead",
)


class SampleForm(forms.Form):
    """A field of each kind."""

    name = forms.CharField(label="A line", help_text="What is meant by it.")
    wrong = forms.IntegerField(label="A number that is not one", widget=forms.TextInput)
    choice = forms.ChoiceField(label="A choice", choices=[("keep", "keep"), ("delete", "delete")])
    password = forms.CharField(label="Your password, again", widget=forms.PasswordInput)
    comment = forms.CharField(label="Why", widget=forms.Textarea(attrs={"rows": 3}))


@require_GET
def style_page(request: HttpRequest) -> HttpResponse:
    """Every component; there is no such page outside of debugging and the demo."""
    if not (settings.DEBUG or settings.PHASEGATE_DEMO):
        raise Http404("the style page is for development")
    now = timezone.now()
    run = style_samples.run_at(now)
    window = style_watch.window_at(now)
    form = SampleForm({"name": "dxy_1m", "wrong": "many", "choice": "keep"})
    form.add_error(None, "The run has changed since you read it. Nothing was done; read it again.")
    shown = {
        **admin.site.each_context(request),
        "title": "Style",
        "run": run,
        "start": style_samples.start_at(now),
        "states": STATES,
        "tones": TONES,
        "tiles": TILES,
        "tables": TABLES,
        "nexts": [dataclasses.replace(run, next=said) for said in style_samples.NEXT],
        "actions": style_samples.ACTIONS,
        "rollbacks": style_samples.rollbacks_at(now),
        "review": style_samples.changes(),
        "form": form,
        "window": window,
        "open_window": window,
        "hour": window.round(5),
        "charts": style_watch.charts_of(window),
        "cards": style_watch.handovers_at(now),
        "chains": style_watch.chains_at(now),
        "events": style_watch.events_at(now),
        "blocks": style_watch.BLOCKS,
    }
    return render(request, "migration_runs/style.html", shown)
