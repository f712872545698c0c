"""A task that does nothing but answer: what a message to a worker and back costs."""

from __future__ import annotations

import redis
from celery import shared_task
from django.conf import settings

NAME = "bench.panel.echo.echo"
QUEUE = "runs"

_answers: list[redis.Redis] = []


def answers() -> redis.Redis:
    """This process's connection to the broker, beside Celery's own."""
    if not _answers:
        _answers.append(redis.Redis.from_url(settings.CELERY_BROKER_URL))
    return _answers[0]


@shared_task(name=NAME)
def echo(key: str) -> None:
    """Answer to the list ``key``."""
    answers().lpush(key, "1")
