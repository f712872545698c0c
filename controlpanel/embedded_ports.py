"""Ports for embedded servers."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from controlpanel.embedded_errors import EmbeddedError

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below the range from which Linux takes ports of outgoing connections: a client that knocks at a stopped
server's port must not be given that very port as its own, or it would connect to itself and keep the server
from coming back."""


def port_as_before(remembered: Path) -> int:
    """The port of last time if it is free, so that noted addresses stay valid; else any free one."""
    if remembered.exists() and port_is_free(port := int(remembered.read_text())):
        return port
    return free_port()


def free_port() -> int:
    """A port on which nobody listens just now. Raises EmbeddedError when there is none."""
    for port in random.sample(PORTS, 200):
        if port_is_free(port):
            return port
    raise EmbeddedError(f"found no free port between {PORTS.start} and {PORTS.stop} on {HOST}")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
