"""Template tags of the start page and of the frame that every page has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django import template
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from migration_runs.selectors.start_page import start_view
from migration_runs.selectors.start_views import LinkView, SignView, StartView, WaitingView
from migration_runs.templatetags.phasegate import ago, badge, href

register = template.Library()

WORDS = ("Nothing", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
OWN_APP, ACCOUNTS = "migration_runs", "auth"
PAGES = {
    "trail": "admin:migration_runs_auditevent_changelist",
    "runs": "admin:migration_runs_run_changelist",
    "accounts": "admin:auth_user_changelist",
}


@dataclass(frozen=True)
class Place:
    """A link of the panel's navigation; ``current`` is ``page`` on it, ``true`` on a page below it."""

    title: str
    url: str
    current: str


@register.simple_tag(takes_context=True)
def start_page(context: Context) -> StartView:
    """The start page of the person who looks."""
    return start_view(cast(User, context["request"].user))


@register.filter
def waits_for_you(count: int) -> str:
    """``Two things wait for you``."""
    said = WORDS[count] if count < len(WORDS) else str(count)
    return (
        f"{said} waits for you"
        if count == 0
        else f"{said} thing{'s wait' if count > 1 else ' waits'} for you"
    )


@register.filter
def leads_to(item: WaitingView) -> str:
    """Where the button of something that waits leads: the page that asks, and changes nothing by itself."""
    if item.action is not None:
        return href(item.action, item)
    page = "readiness" if item.kind == "tick" else "change"
    return reverse(f"admin:migration_runs_run_{page}", args=[item.id])


@register.filter
def address(link: LinkView) -> str:
    """The address of a link of the guide."""
    if link.run_id is not None:
        return reverse(f"admin:migration_runs_run_{link.page}", args=[link.run_id])
    return reverse(PAGES[link.page])


@register.simple_tag
def style_page_address() -> str:
    """Where every component is shown; empty where there is no such page."""
    return reverse("admin:migration_runs_run_style") if settings.DEBUG or settings.PHASEGATE_DEMO else ""


@register.simple_tag
def sign_badge(sign: SignView) -> SafeString:
    """A fact about the panel, boxed, with how long ago it was seen."""
    seen = format_html("{} {}", sign.text, ago(sign.since)) if sign.since else sign.text
    return badge(sign.state, seen)


@register.simple_tag(takes_context=True)
def places(context: Context) -> list[Place]:
    """The panel's navigation, as far as the person may go, with the page that is shown marked.

    Runs and the audit trail come first, then other apps' pages, then accounts.
    """
    request: HttpRequest | None = context.get("request")
    apps: list[dict[str, Any]] = context.get("available_apps") or []
    if request is None or not context.get("has_permission"):
        return []
    found = [("Start", reverse("admin:index"), "")]
    models = {model["object_name"]: model["admin_url"] for app in apps for model in app["models"]}
    found += [(title, models[name], models[name]) for title, name in OWN_PLACES if models.get(name)]
    others = [app for app in apps if app["app_label"] not in {OWN_APP, ACCOUNTS}]
    found += [(app["name"], _front_page(app), app["app_url"]) for app in others]
    found += [("Accounts", app["app_url"], app["app_url"]) for app in apps if app["app_label"] == ACCOUNTS]
    return [Place(title, url, _current(url, area, request.path)) for title, url, area in found]


def _front_page(app: dict[str, Any]) -> str:
    """An app's own first page, where it has one named ``<label>_front``; else the list of its tables."""
    try:
        return reverse(f"{app['app_label']}_front")
    except NoReverseMatch:
        return str(app["app_url"])


OWN_PLACES = (
    ("Runs", "Run"),
    ("Audit", "AuditEvent"),
    ("Signatures", "SignOff"),
    ("Plans", "StoredPlan"),
    ("Notifications", "Notification"),
)


def _current(url: str, area: str, path: str) -> str:
    """``area`` is the address below which everything belongs to the link; empty: nothing."""
    if url == path:
        return "page"
    return "true" if area and path.startswith(area) else ""
