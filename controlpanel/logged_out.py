"""Who was logged out while a form was open comes back to that page, and is told that nothing was done."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

SAID = "You had been logged out: what you sent was not done. Log in, and send it again."


class BackToTheForm:
    """Middleware: a form that was sent without a session leads over the log-in to the page that it stood on.

    The admin would lead to the address to which the form was sent; some of these answer forms alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; look at the answer."""
        response = self.get_response(request)
        if request.method != "POST" or request.user.is_authenticated:
            return response
        login = reverse("admin:login")
        to = urlsplit(response.headers.get("Location", ""))
        if to.path == login and request.path != login:
            came_from = _page(request)
            if came_from:
                query = QueryDict(mutable=True)
                query["next"] = came_from
                response.headers["Location"] = f"{login}?{query.urlencode(safe='/')}"
            messages.warning(request, SAID)
        return response


def _page(request: HttpRequest) -> str:
    """The page of the panel that the form stood on, as far as the browser tells; else nothing."""
    told = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(told, {request.get_host()}, require_https=request.is_secure()):
        return ""
    page = urlsplit(told)
    return f"{page.path}?{page.query}" if page.query else page.path
