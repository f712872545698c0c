"""The other end of ``stage.Program``: answer lines of JSON until there are no more."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import django


def set_up() -> None:
    """Load the panel's settings and models."""
    django.setup()


def serve(answers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer each request by the function that it names as ``do``; its other values are the arguments."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = answers[request.pop("do")](**request)
        print(json.dumps(answer), flush=True)
