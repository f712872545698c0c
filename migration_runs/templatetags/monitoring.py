"""Template tags of the monitoring page: times as a window's length deserves them."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from migration_runs.selectors.window_views import WindowView
from migration_runs.templatetags import phasegate

register = template.Library()


@register.filter
def moment(at: datetime | None, window: WindowView) -> SafeString:
    """Day and minute; with seconds instead where hours of the window pass in minutes."""
    return phasegate.utc(at, "time" if window.clock_speed > 1 else "short")


@register.filter
def clock(at: datetime | None, window: WindowView) -> SafeString:
    """The clock alone, for a tile: there is no room for the day."""
    return phasegate.utc(at, "time" if window.clock_speed > 1 else "minute")


@register.filter
def limit_class(kind: str) -> str:
    """How a limit's line looks: dashed where values begin to warn, dotted where they begin to fail."""
    return "g-warn" if kind == "warn" else "g-bad"
