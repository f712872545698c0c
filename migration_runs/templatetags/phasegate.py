"""Template tags of the panel: icons, states in words and colours, times, durations, numbers, SQL.

Rule of the house: no colour without an icon and a word, every number with its unit, times in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import sqlparse
from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from sqlparse import tokens

from migration_runs import durations
from migration_runs.runbook.difference import Line
from migration_runs.selectors.phase_views import PhaseView
from migration_runs.selectors.run_views import RunView
from migration_runs.services import outbox
from migration_runs.services.offer import Action
from migration_runs.templatetags.state_looks import STATES

register = template.Library()

NOTHING = mark_safe("\N{EN DASH}")
WHOLE_FROM = 1000
DAY = 24 * 60 * 60  # seconds
CLOCKS = {
    "time": "%H:%M:%S",
    "minute": "%H:%M",
    "short": "%a %H:%M",
    "second": "%a %d %b %Y, %H:%M:%S UTC",
}
TURNING = frozenset({"running", "undoing", "verify_running"})


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """An icon of the page's sprite. Decorative: the word beside it carries the meaning."""
    return format_html(
        '<svg class="pg-i{}" viewBox="0 0 16 16" aria-hidden="true"><use href="#i-{}"/></svg>',
        f" {extra}" if extra else "",
        name,
    )


def _look(state: str) -> tuple[str, str, str]:
    return STATES.get(state, ("is-idle", "idle", state.replace("_", " ")))


@register.simple_tag
def messages_trouble() -> str:
    """What keeps messages from people; empty when nothing does."""
    return outbox.trouble()


@register.filter
def css(state: str) -> str:
    """The state's CSS class, which sets the colours of whatever bears it."""
    return _look(state)[0]


@register.filter
def word(state: str) -> str:
    """The state in words."""
    return _look(state)[2]


@register.filter
def shown_state(phase: PhaseView, run: RunView) -> str:
    """The phase's state; one that will not be started any more reads as not run, one that nobody is at
    though somebody should be as lost or without a worker: nothing turns then.
    """
    if phase.worker_lost_s is not None:
        return "worker_lost"
    if phase.fleet:
        return "no_worker"
    return "never" if run.only_back and phase.state in {"ready", "pending"} else phase.state


@register.simple_tag
def state_icon(state: str) -> SafeString:
    """The state's icon, turning while work is going on."""
    return icon(_look(state)[1], "pg-spin" if state in TURNING else "")


@register.simple_tag
def badge(state: str, text: str | SafeString = "") -> SafeString:
    """A boxed state: icon and word."""
    look = _look(state)
    return format_html('<span class="pg-badge {}">{}{}</span>', look[0], state_icon(state), text or look[2])


@register.simple_tag
def inline_state(state: str, text: str = "") -> SafeString:
    """A state in running text: icon and word."""
    look = _look(state)
    return format_html('<span class="pg-state {}">{}{}</span>', look[0], state_icon(state), text or look[2])


@register.simple_tag
def boxes(count: int) -> SafeString:
    """Empty boxes to tick by hand on paper, six together, as the hours of a shift are counted."""
    box = '<span class="pg-box" aria-hidden="true"></span>'
    groups = (mark_safe(box * min(6, count - start)) for start in range(0, count, 6))  # noqa: S308 - constant
    return format_html(
        '<span class="pg-nowrap">{}</span>', format_html_join(" ", "{}", ((g,) for g in groups))
    )


DIFF_TAGS = {"+": "ins", "-": "del"}


@register.filter
def diff(lines: Sequence[Line]) -> SafeString:
    """Lines of a difference: new ones, gone ones, and those around them. Every character is escaped."""
    shown = (("span", "", "…") if line.mark == "@" else _diff_line(line) for line in lines)
    return format_html_join("", "<{0}>{1}{2}</{0}>", shown)


def _diff_line(line: Line) -> tuple[str, str, str]:
    return DIFF_TAGS.get(line.mark, "span"), f"{line.mark} ", line.text


@register.filter
def short(digest: str) -> str:
    """The first twelve digits of a digest, in groups of four."""
    return " ".join(digest[i : i + 4] for i in range(0, min(len(digest), 12), 4))


@register.filter
def number(value: Any) -> str:
    """A count with thousands separated; a measurement with the digits after the point that it deserves."""
    if value is None:
        return NOTHING
    if isinstance(value, float) and abs(value) < WHOLE_FROM and not value.is_integer():
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{round(value):,}"


@register.filter
def whole(value: float | None) -> str:
    """A measurement that deserves no digits after the point; below ten one of them."""
    if value is None:
        return NOTHING
    return f"{value:.1f}".removesuffix(".0") if abs(value) < 10 else f"{value:,.0f}"


@register.filter
def utc(value: datetime | None, style: str = "") -> SafeString:
    """A moment in UTC to the minute; ``second``: to the second, ``time`` and ``minute``: the clock alone."""
    if value is None:
        return NOTHING
    moment = value.astimezone(UTC)
    shown = moment.strftime(CLOCKS.get(style, "%a %d %b %Y, %H:%M UTC"))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        moment.strftime("%a %d %b %Y, %H:%M:%S UTC"),
        shown,
    )


@register.filter
def lasts(value: timedelta | float | None) -> str:
    """A length of time as people say it: ``0.19 s``, ``77 s``, ``15 min``, ``2 h 05 min``."""
    if value is None:
        return NOTHING
    return durations.said(value.total_seconds() if isinstance(value, timedelta) else float(value))


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """How long ago a moment was, as a second reading beside its time. It goes on by itself in the browser."""
    if value is None:
        return ""
    seconds = int((timezone.now() - value).total_seconds())
    return format_html(
        '<time class="pg-ago" datetime="{}" data-age="{}">{}</time>',
        value.astimezone(UTC).isoformat(),
        seconds,
        _ago_in_words(seconds),
    )


def _ago_in_words(seconds: int) -> str:
    """As panel.js says it."""
    if seconds < 2:
        return "just now"
    days = seconds // DAY
    return f"{days} days ago" if days > 1 else f"{lasts(float(seconds))} ago"


@register.filter
def percent(done: int | None, total: int | None) -> int:
    """Whole percent, never 100 before the end."""
    if not total or done is None:
        return 0
    return 100 if done >= total else min(99, int(done * 100 / total))


@register.filter
def breakable(key: str) -> SafeString:
    """A key with a place to break after each underscore."""
    return format_html_join(mark_safe("_<wbr>"), "{}", ((part,) for part in key.split("_")))


KNOWN_BY = {
    "web": "logged in to the panel",
    "worker": "a process of the panel",
    "password": "a password that was typed",
    "demo": "named in the demo, not proven",
}


@register.filter
def known_by(how: str) -> str:
    """How the panel knew who an actor was, in words."""
    if how.startswith("shell:"):
        return f"terminal, shell user {how.removeprefix('shell:')}"
    return KNOWN_BY.get(how, how)


class HasId(Protocol):
    """A run, or what is about one: ``id`` is the run's."""

    @property
    def id(self) -> int:
        """The run's id."""


@register.filter
def href(action: Action, run: HasId) -> str:
    """Where an action's button leads: the page that asks first, or the address that acts on POST."""
    query = {
        name: value
        for name, value in (("gate", action.gate), ("role", action.role), ("phase", action.phase))
        if value
    }
    url = reverse("admin:migration_runs_run_act", args=[run.id, action.verb])
    return f"{url}?{urlencode(query)}" if query else url


MARKS: tuple[tuple[Any, str], ...] = (
    (tokens.Comment, "em"),
    (tokens.Keyword, "b"),
    (tokens.Literal.String.Single, "i"),
    (tokens.Name.Placeholder, "u"),
)


@register.filter
def sql(text: str) -> SafeString:
    """SQL with keywords, strings, comments and parameters marked. Every character is escaped."""
    return format_html_join(
        "",
        "{}{}{}",
        ((mark_safe(a), conditional_escape(value), mark_safe(b)) for a, value, b in _marked(text)),  # noqa: S308 - constant tags
    )


def _marked(text: str) -> list[tuple[str, str, str]]:
    parts = []
    for statement in sqlparse.parse(text):
        for token in statement.flatten():  # type: ignore[no-untyped-call]
            mark = next((tag for kind, tag in MARKS if token.ttype in kind), "") if token.ttype else ""
            parts.append((f"<{mark}>" if mark else "", token.value, f"</{mark}>" if mark else ""))
    return parts
