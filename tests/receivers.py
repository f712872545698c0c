"""Where messages of tests arrive: a mail server and a webhook on 127.0.0.1 that can misbehave."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs.

    ``answers`` holds what to say to a verb instead of yes; None: nothing at all.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Smtp)
        self.answers: dict[str, str | None] = {}
        self.messages: list[EmailMessage] = []
        self.logins: list[str] = []
        self.taking = threading.Event()
        """A message has come in whole and is about to be taken."""
        self.go_on = threading.Event()
        """While it is not set, no message is taken."""
        self.go_on.set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def to(self, address: str) -> list[EmailMessage]:
        """Messages to one address, in the order in which they came."""
        return [message for message in self.messages if message["To"] == address]


class _Smtp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast(MailServer, self.server)
        self._say(server.answers.get("HELLO", "220 tests"))
        while line := self.rfile.readline():
            verb = line.split()[0].decode().upper() if line.split() else ""
            if verb in server.answers:
                self._say(server.answers[verb])
            elif verb == "EHLO":
                self._say("250-tests\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                server.logins.append(line.decode())
                self._say("235 yes")
            elif verb == "DATA":
                self._take(server)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 yes")

    def _take(self, server: MailServer) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        server.taking.set()
        server.go_on.wait()
        server.messages.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say("250 taken")

    def _say(self, text: str | None) -> None:
        if text is None:
            return
        try:
            self.wfile.write(f"{text}\r\n".encode())
        except OSError:
            return  # the client was killed, which is what some tests do


@contextmanager
def mail_server(port: int = 0) -> Iterator[MailServer]:
    """A mail server while the block lasts."""
    with MailServer(port) as server:
        yield from _serving(server)


class Webhook(ThreadingHTTPServer):
    """Takes JSON by POST; answers with ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.status = 200
        self.posts: list[dict[str, Any]] = []
        self.paths: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast(Webhook, self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.paths.append(self.path)
        if server.status == 200:
            server.posts.append(json.loads(body))
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(b"answer with a secret: hunter2")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
        """Nothing on the test's output."""


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook while the block lasts."""
    with Webhook() as server:
        yield from _serving(server)


def _serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
