"""A worker outlives its broker.

With kombu 5.7 a worker ends with an AttributeError when the broker goes away while a message is not
acknowledged yet: putting the message back, and acknowledging it later, are tried through a connection that
has just been forgotten. As a broken connection, which it is, Celery handles it: it logs, and connects again.
"""

from __future__ import annotations

from typing import Any

import redis.exceptions
from kombu.transport import redis as redis_transport


class Channel(redis_transport.Channel):
    """A channel whose connection may be gone, and which then says so."""

    def _connparams(self, asynchronous: bool = False) -> Any:
        """Raises redis ConnectionError once the connection has been closed."""
        if self.connection is None or self.connection.client is None:
            raise redis.exceptions.ConnectionError("the connection to the broker was closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]


def install() -> None:
    """Have every connection of this process to a broker use :class:`Channel`."""
    redis_transport.Transport.Channel = Channel
