"""Messages to people in the admin: what was sent, waits, or could not be sent, and to send it again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from migration_runs import delivery
from migration_runs.admin.pages import reader
from migration_runs.admin.records import ReadOnlyAdmin
from migration_runs.exceptions import Refused
from migration_runs.models import Notification
from migration_runs.services import outbox, people
from migration_runs.templatetags import phasegate

HOW = "web"


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """The outbox: one row for each message to a person or a chat."""

    list_display = ("badge", "what", "to", "run_link", "written", "sent", "attempts", "trouble")
    list_display_links = ("what",)
    list_filter = ("state", "kind", "channel")
    search_fields = ("subject", "person__username")
    list_select_related = ("run", "person")
    ordering = ("-id",)
    fields = (
        "badge", "what", "to", "channel", "run_link", "phase", "written", "sent", "attempts", "next_try",
        "trouble", "text",
    )  # fmt: skip
    readonly_fields = fields
    change_form_template = "migration_runs/message.html"
    change_list_template = "migration_runs/message_list.html"

    def get_urls(self) -> list[URLPattern]:
        """The list, each message, and the address that has one sent again."""
        again: URLPattern = path(
            "<int:message_id>/again/",
            self.admin_site.admin_view(send_again),
            name="migration_runs_notification_again",
        )
        return [again, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """Messages with what their rows show."""
        queryset: QuerySet[Notification] = super().get_queryset(request).select_related("run", "person")
        return queryset

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with what keeps messages from people above it."""
        shown = {
            "title": "Notifications",
            "configured": outbox.is_configured(),
            "trouble": outbox.trouble(),
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One message, and whether the person who looks may have it sent again."""
        row = self.get_object(request, object_id)
        shown = {"title": row.subject, "why_not_again": _why_not(row, request)} if row else {}
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    @admin.display(description="State", ordering="state")
    def badge(self, row: Notification) -> SafeString:
        """State by icon and word."""
        return phasegate.badge(f"message_{row.state}")

    @admin.display(description="Message", ordering="kind")
    def what(self, row: Notification) -> SafeString:
        """The subject, and what kind of event it tells."""
        return format_html("{}<small>{}</small>", row.subject, row.get_kind_display())

    @admin.display(description="To", ordering="person__username")
    def to(self, row: Notification) -> str:
        """The account, or which chat."""
        return row.receiver

    @admin.display(description="Run", ordering="run")
    def run_link(self, row: Notification) -> SafeString:
        """The run's page."""
        url = reverse("admin:migration_runs_run_change", args=[row.run_id])
        return format_html('<a href="{}">{}</a>', url, row.run.name)

    @admin.display(description="Written", ordering="created_at")
    def written(self, row: Notification) -> SafeString:
        """When it happened, in UTC."""
        return phasegate.utc(row.created_at)

    @admin.display(description="Sent", ordering="sent_at")
    def sent(self, row: Notification) -> SafeString:
        """When it left, in UTC."""
        return phasegate.utc(row.sent_at)

    @admin.display(description="Next try")
    def next_try(self, row: Notification) -> SafeString:
        """When it is tried again, in UTC, if it is."""
        return phasegate.utc(row.next_try_at) if row.state == row.State.WAITING else phasegate.NOTHING

    @admin.display(description="Trouble")
    def trouble(self, row: Notification) -> SafeString | str:
        """Why the last try failed."""
        return row.last_error or phasegate.NOTHING

    @admin.display(description="Text")
    def text(self, row: Notification) -> SafeString:
        """What the receiver reads."""
        return format_html('<pre class="pg-pre">{}</pre>', delivery.text_of(row))


def _why_not(row: Notification, request: HttpRequest) -> str:
    try:
        outbox.may_resend(row, people.actor_of(reader(request), how=HOW))
    except Refused as refusal:
        return str(refusal)
    return ""


@require_POST
def send_again(request: HttpRequest, message_id: int) -> HttpResponse:
    """Have a message sent that was given up, or of which nobody knows whether it arrived."""
    if not request.user.has_perm("migration_runs.view_notification"):
        raise PermissionDenied
    row = Notification.objects.filter(pk=message_id).first()
    if row is None:
        raise Http404(f"there is no message {message_id}")
    try:
        outbox.resend(row.run_id, notification_id=row.pk, person=reader(request), how=HOW)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "It will be sent in a moment.")
    return redirect("admin:migration_runs_notification_change", message_id)
