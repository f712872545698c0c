"""Container health checks.

``python -m controlpanel.probe`` asks web, ``... probe worker`` asks this host's worker,
``... probe beat`` looks whether beat has sent anything lately.

Exit code 0: healthy; 1: not, with the reason on standard error.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time

TIMEOUT_SECONDS = 4.0


def web(port: int) -> str | None:
    """What is wrong with the web process, or None. Asks as the first allowed host: others are refused."""
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".") or "localhost"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        answer = connection.getresponse()
        text = answer.read(200).decode(errors="replace").strip()
    except OSError as error:
        return f"web does not answer on port {port}: {error}"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"web answered {answer.status}: {text}"


def worker() -> str | None:
    """What is wrong with the Celery worker of this host, or None. It is asked through the broker."""
    from controlpanel.celery import app  # noqa: PLC0415 - the web probe should not pay for loading Celery

    name = f"celery@{socket.gethostname()}"
    answers = app.control.ping(destination=[name], timeout=TIMEOUT_SECONDS)
    return None if answers else f"{name} does not answer within {TIMEOUT_SECONDS:.0f} s"


def beat() -> str | None:
    """What is wrong with beat on this host, or None: it notes each message that the broker has taken."""
    from controlpanel.celery import BEAT_NOTE, app  # noqa: PLC0415 - as above

    periods = [entry["schedule"].run_every.total_seconds() for entry in app.conf.beat_schedule.values()]
    allowed = 3 * max(periods) + TIMEOUT_SECONDS
    try:
        age = time.time() - BEAT_NOTE.stat().st_mtime
    except FileNotFoundError:
        return "beat has not sent anything yet"
    return None if age <= allowed else f"beat sent nothing for {age:.0f} s; {allowed:.0f} s are allowed"


def main(arguments: list[str]) -> int:
    """Run the probe that `arguments` name."""
    match arguments:
        case []:
            wrong = web(int(os.environ.get("PORT", "8000")))
        case ["worker"]:
            wrong = worker()
        case ["beat"]:
            wrong = beat()
        case _:
            wrong = "usage: python -m controlpanel.probe [worker|beat]"
    if wrong:
        sys.stderr.write(f"{wrong}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
