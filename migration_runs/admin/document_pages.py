"""The documents of a run: as pages, as Markdown, and lessons learned, which are added to one of them."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from migration_runs.admin.forms import LessonForm
from migration_runs.admin.pages import context, for_readers, reader
from migration_runs.documents import index, markdown
from migration_runs.documents.blocks import Document
from migration_runs.exceptions import Refused
from migration_runs.selectors import documents
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.run_views import RunView
from migration_runs.services import lessons
from migration_runs.templatetags.phasegate import word

HOW = "web"


def _document(run: RunView, key: str) -> Document:
    try:
        return documents.document_of(run, key)
    except KeyError:
        raise Http404(f"there is no document {key}") from None


@require_GET
@for_readers
def document_list(request: HttpRequest, run_id: int) -> HttpResponse:  # noqa: ARG001 - all views look alike
    """What documents there are: the index leads to the others."""
    return redirect("admin:migration_runs_run_document", run_id=run_id, key=index.KEY)


@require_GET
@for_readers
def document_page(request: HttpRequest, run_id: int, key: str) -> HttpResponse:
    """A document, to be read or printed."""
    run = run_view(run_id, person=reader(request))
    shown = _document(run, key)
    more = {
        "tab": "documents",
        "page_title": shown.title.partition(":")[0],
        "document": shown,
        "documents": documents.titles(),
        "lesson_form": LessonForm() if documents.may_write_lessons(run_id, reader(request)) else None,
    }
    return render(request, "migration_runs/documents/document.html", context(request, run, **more))


@require_GET
@for_readers
def document_markdown(request: HttpRequest, run_id: int, key: str) -> HttpResponse:
    """The same document as Markdown."""
    run = run_view(run_id, person=reader(request))
    text = markdown.render(_document(run, key), word=word)
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{run.name}-{key}.md"'
    return response


@require_POST
@for_readers
def write_lesson(request: HttpRequest, run_id: int) -> HttpResponse:
    """Add what was learned."""
    form = LessonForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused(" ".join(map(str, form.errors["text"])), rule="lesson")
        lessons.write_lesson(run_id, text=form.cleaned_data["text"], person=reader(request), how=HOW)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Written down, under your name.")
    return redirect("admin:migration_runs_run_document", run_id=run_id, key=index.KEY)
