"""The Celery application: queues, and what beat sends.

Queues: ``runs`` (phases), ``chunks`` (extra copy workers), ``checks`` (due checks and everything
short and regular), ``verification`` (row-by-row comparison), ``notifications`` (messages to people). Regular
tasks never share a queue with phases, which may take hours, nor with a mail server that does not answer.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import Celery, Task, schedules, signals

from controlpanel import broker

QUEUES = ("runs", "chunks", "checks", "verification", "notifications")

BEAT_NOTE = Path(tempfile.gettempdir()) / "phasegate-beat"
"""Touched by beat for each message that the broker has taken; its health check looks at the time."""

STARTED = (datetime.now(UTC), time.monotonic())


def steady_now() -> datetime:
    """The time by a clock that nobody sets: one that goes back an hour would silence beat for an hour."""
    return STARTED[0] + timedelta(seconds=time.monotonic() - STARTED[1])


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")

broker.install()
app = Celery("phasegate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def _schedule(sender: Celery, **_: object) -> None:
    """Beat only says "look now": it may run twice or not at all, since due work is rows in the database."""
    from django.conf import settings  # noqa: PLC0415 - read when configured, not when imported

    period: float = settings.SWEEP_SECONDS
    sender.conf.beat_schedule["sweep"] = {
        "task": "migration_runs.tasks.sweep",
        "schedule": schedules.schedule(period, nowfun=steady_now, app=sender),
        # Those that nobody took pile up only so far. Generous, since the clocks of hosts may differ.
        "options": {"queue": "checks", "expires": max(period, 300.0)},
    }


@signals.beat_init.connect
def _note_what_beat_sends(**_: object) -> None:
    signals.after_task_publish.connect(_touch_beat_note)


@signals.task_prerun.connect
@signals.task_postrun.connect
def _close_old_connections(sender: Task[..., object], **_: object) -> None:
    """A connection to the control database is kept as the web keeps its own; a dead one is replaced.

    Not where a task is called as a function: the connection is then its caller's.
    """
    if not sender.request.is_eager:
        from django.db import close_old_connections  # noqa: PLC0415 - needs settings, which Celery loads later

        close_old_connections()


def _touch_beat_note(**_: object) -> None:
    BEAT_NOTE.touch(mode=0o600)
