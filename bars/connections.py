"""Connections to a target as the bars application: the role of feed, aggregator and signal engine."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings

from bars.exceptions import UnknownTarget

_SESSION_OPTIONS = "-c TimeZone=UTC -c idle_in_transaction_session_timeout=60s"


def application_url(alias: str) -> str:
    """Return the bars application's connection string for a target.

    Raises ``UnknownTarget``, naming the variable to set.
    """
    try:
        return str(settings.BARS_APP[alias])
    except KeyError:
        known = ", ".join(sorted(settings.BARS_APP)) or "none"
        raise UnknownTarget(
            f"no bars application is configured for target {alias!r} (configured: {known}); "
            f"set BARS_APP_URL_{alias.upper()}"
        ) from None


def connect(
    url: str, *, application_name: str, statement_timeout_seconds: int = 60
) -> psycopg.Connection[tuple[Any, ...]]:
    """Open an autocommit connection whose TimeZone is UTC; transactions are opened explicitly.

    ``statement_timeout_seconds`` 0 means none. Raises ``psycopg.OperationalError``.
    """
    return psycopg.connect(
        url,
        autocommit=True,
        application_name=application_name,
        connect_timeout=5,
        options=f"{_SESSION_OPTIONS} -c statement_timeout={statement_timeout_seconds}s",
    )
