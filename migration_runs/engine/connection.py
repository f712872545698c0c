"""Sessions on the target, each with the same pinned settings, whatever the role or the server say.

Every setting that could change what a statement means (search path, time zone, how values become text)
or how long it may hold others up is set at log-in, so that there is no moment without it.
"""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg import conninfo

from migration_runs.engine.job import Job
from migration_runs.exceptions import TargetUnavailable

LOCK_TIMEOUT_MS = 200
STATEMENT_TIMEOUT_S = 60.0
IDLE_IN_TRANSACTION_S = 20
"""Below the lease of 30 s: a frozen worker's transaction has ended when its successor begins."""

CONNECT_TIMEOUT_S = 10

VANISHED: dict[str, int] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""A host that is gone without a word is noticed within 25 s. Without this a worker would wait for its answer
for hours, while its heartbeat keeps the lease."""

PINNED: dict[str, str] = {
    "TimeZone": "UTC",
    "search_path": "pg_catalog,public",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read committed",
    "lock_timeout": f"{LOCK_TIMEOUT_MS}ms",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S:.0f}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
    "client_connection_check_interval": "2s",
}

# libpq hands over no SQLSTATE when a log-in fails, only the server's text, so this one place reads words.
_REASONS: tuple[tuple[str, str], ...] = (
    ("password authentication failed", "the target refuses the user name or the password"),
    ("no password supplied", "the target asks for a password and none is configured"),
    ("no pg_hba.conf entry", "the target does not let this user in from this host"),
    ("permission denied for database", "the role may not connect to the database"),
    ("too many connections", "the target has no connection left"),
    ("remaining connection slots", "the target has no connection left"),
    ("too many clients", "the target has no connection left"),
    ("starting up", "the target is starting up"),
    ("shutting down", "the target is shutting down"),
    ("in recovery mode", "the target recovers from a crash"),
    ("could not translate host name", "the target's host name is unknown"),
    ("resolve", "the target's host name is unknown"),
    ("Connection refused", "nothing listens at the target's address"),
    ("timeout expired", f"the target did not answer within {CONNECT_TIMEOUT_S} s"),
    ("is not permitted to log in", "the role may not log in"),
    ("SSL", "the target and this host do not agree on encryption"),
)


UNREACHABLE = "the target cannot be reached"
PASSING = frozenset({
    UNREACHABLE, "nothing listens at the target's address", "the target has no connection left",
    "the target is starting up", "the target is shutting down", "the target recovers from a crash",
})  # fmt: skip
"""What a restart, a crash or a crowd of clients looks like: worth another try."""


def application_name(run_uid: uuid.UUID, worker: str) -> str:
    """``phasegate/<first 8 digits of the run>/<worker>``, cut to the 63 bytes that are kept."""
    plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in worker)
    return f"phasegate/{run_uid.hex[:8]}/{plain}"[:63]


def connect(url: str, *, application_name: str, autocommit: bool = True) -> psycopg.Connection[Any]:
    """A session on the target with :data:`PINNED` settings.

    Raises TargetUnavailable with the reason in plain words, never the URL.
    """
    try:
        wanted = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        # The parser's message quotes the URL, password included; hence no chaining either.
        raise TargetUnavailable(
            "the target's URL cannot be read", next_step="check the TARGET_<ALIAS>_URL of this target"
        ) from None
    place = f"{wanted.get('host', 'localhost')}:{wanted.get('port', 5432)}/{wanted.get('dbname', '')}"
    options = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in PINNED.items())
    given = str(wanted.pop("options", "") or "")
    wanted |= {
        "options": f"{given} {options}".strip(),
        "application_name": application_name,
        "connect_timeout": wanted.get("connect_timeout", CONNECT_TIMEOUT_S),
    }
    wanted = {**VANISHED, **wanted}
    try:
        return psycopg.connect(**wanted, autocommit=autocommit)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        reason = _reason(str(error))
        unavailable = TargetUnavailable(
            f"{reason} ({place})",
            kept="nothing was changed",
            next_step="check that the target is up and its URL is right, then retry",
        )
        unavailable.passing = reason in PASSING
        raise unavailable from None


def connect_job(job: Job) -> psycopg.Connection[Any]:
    """A session on the job's target, named after its run and worker. Raises TargetUnavailable."""
    return connect(job.target_url, application_name=application_name(job.run_uid, job.worker))


def _reason(said: str) -> str:
    if 'database "' in said and "does not exist" in said:
        return "the target's database does not exist"
    if 'role "' in said and "does not exist" in said:
        return "the target refuses the user name or the password"
    for words, reason in _REASONS:
        if words in said:
            return reason
    return UNREACHABLE
