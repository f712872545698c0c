"""Clicks of a person in a browser, by HTTP alone: logged in, with a token against forgery, from a thread."""

from __future__ import annotations

import http.client
import secrets
import threading
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.urls import reverse

from tests.control import PASSWORD

PATIENCE_S = 90.0


@dataclass
class Click:
    """A POST that is under way. ``status`` is 0 until, and unless, an answer came."""

    status: int = 0
    failure: str = ""
    _thread: threading.Thread = field(default_factory=threading.Thread)

    def wait(self) -> Click:
        """Until the answer came, or the connection broke."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the click was never answered"
        return self


def click(port: int, run_id: int, verb: str, *, person: User, digest: str, **query: Any) -> Click:
    """Send the form of a verb as ``person``; returns at once."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    token = secrets.token_hex(16)
    path = f"{reverse('admin:migration_runs_run_act', args=[run_id, verb])}?{urlencode(query)}"
    form = {"csrfmiddlewaretoken": token, "digest": digest, "comment": "read", "password": PASSWORD}
    cookies = {settings.SESSION_COOKIE_NAME: session.session_key, settings.CSRF_COOKIE_NAME: token}
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    sent = Click()

    def post() -> None:
        web = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S - 10)
        try:
            web.request("POST", path, urlencode(form), headers)
            sent.status = web.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            sent.failure = f"{type(error).__name__}: {error}"
        finally:
            web.close()

    sent._thread = threading.Thread(target=post, name=f"click-{verb}", daemon=True)
    sent._thread.start()
    return sent
