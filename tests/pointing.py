"""Points the Django connections of this process at another database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from django.db import connections


def _address(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


@contextlib.contextmanager
def pointed(urls: dict[str, str]) -> Iterator[None]:
    """Connections by alias lead to `urls` while the block lasts, in every thread that opens one meanwhile."""
    before = {
        alias: {key: connections.databases[alias][key] for key in _address(url)}
        for alias, url in urls.items()
    }
    try:
        for alias, url in urls.items():
            connections[alias].close()
            # The dictionary is shared by the wrappers of all threads.
            connections.databases[alias].update(_address(url))
        yield
    finally:
        for alias, address in before.items():
            connections[alias].close()
            connections.databases[alias].update(address)
