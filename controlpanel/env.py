"""The environment variables that configure Phasegate, read once and checked.

Nothing else reads the environment. A variable that is missing or makes no sense stops the start with its name
and what to set.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from controlpanel import embedded
from migration_runs.phases import Role

ENVIRONMENT_FILE = "env"
RESERVED_ALIASES = frozenset({"default", "owner"})
MIN_SECRET_LENGTH = 32
DATABASE_SCHEMES = frozenset({"postgres", "postgresql"})
NOTIFY_URLS = "NOTIFY_URLS"
MAIL_SCHEMES = frozenset(environ.Env.EMAIL_SCHEMES)
BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""What separates chat addresses, which may hold commas themselves."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """What the environment says. URLs carry passwords: never log or show one."""

    secret_key: str = dataclasses.field(repr=False)
    debug: bool
    demo: bool
    """Demo mode: people may be named by ``--as``, cookies work without TLS. Never set it in production."""
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    database_url: str = dataclasses.field(repr=False)
    database_owner_url: str | None = dataclasses.field(repr=False)
    """Only migrations need it; leave it unset for web and workers."""
    targets: Mapping[str, str] = dataclasses.field(repr=False)
    """Target databases by lower-case alias, as the runner role."""
    scratch: Mapping[str, str] = dataclasses.field(repr=False)
    """Databases by target alias on which a backup may be restored and which may be emptied."""
    bars_app: Mapping[str, str] = dataclasses.field(repr=False)
    """Target databases by alias, as the role of feed, aggregator and signal engine."""
    broker_url: str = dataclasses.field(repr=False)
    backup_dir: Path
    pg_bin_dir: Path | None
    """Directory of pg_dump, pg_restore and psql; None: those of the installed wheel."""
    runbook_dirs: tuple[Path, ...]
    rehearsal_targets: tuple[str, ...]
    """Aliases of targets on whose compressed clock runs may be rehearsed. Never a production target."""
    shell_users: Mapping[str, str]
    """Accounts of the panel by the operating system's user name that may act as them in a shell."""
    sweep_seconds: float
    """Period of the sweeper; must not exceed the interval of any run's checks."""
    lease_seconds: float
    """How long a worker may be silent before another takes its phase over."""
    verification_seconds: float
    """Time between two live verifications of a run, on the target's market clock."""
    sign_off_seconds: float
    """How long an approval counts before what it allows has happened."""
    step_up_seconds: float
    """How long a password given again counts."""
    public_url: str
    """Where people reach the panel, without a slash at the end; empty: messages have no link."""
    email_url: str = dataclasses.field(repr=False)
    """The mail server; empty: nobody gets e-mail."""
    email_from: str
    """The sender of e-mail."""
    notify_urls: Mapping[str, tuple[str, ...]] = dataclasses.field(repr=False)
    """Addresses of chats by the variable that names them: ``NOTIFY_URLS``, ``NOTIFY_URLS_DBA`` …"""


def read(variables: Mapping[str, str], *, data_dir: Path | None = None) -> Environment:
    """Check `variables` and return them typed.

    Where DATABASE_URL is not set, the servers of a demo that runs on `data_dir` are used, if there is one.
    Raises ImproperlyConfigured naming the variable that is missing or wrong.
    """
    values = dict(variables)
    why_no_demo = ""
    if not values.get("DATABASE_URL"):
        found, why_no_demo = running_demo(data_dir or embedded.default_data_dir())
        values = found | {name: value for name, value in values.items() if value}
    env = environ.Env()
    env.ENVIRON = values
    pg_bin_dir = values.get("PG_BIN_DIR")
    return Environment(
        secret_key=_secret_key(values, why_no_demo),
        debug=_typed(env.bool, "DEBUG", default=False),
        demo=_typed(env.bool, "PHASEGATE_DEMO", default=False),
        allowed_hosts=tuple(env.list("ALLOWED_HOSTS", default=[])),
        csrf_trusted_origins=tuple(env.list("CSRF_TRUSTED_ORIGINS", default=[])),
        database_url=_database_url(
            "DATABASE_URL",
            _required(values, "DATABASE_URL", "the control database, as its app role", why_no_demo),
        ),
        database_owner_url=_database_url("DATABASE_OWNER_URL", values["DATABASE_OWNER_URL"])
        if values.get("DATABASE_OWNER_URL")
        else None,
        targets=_by_alias(values, re.compile(r"TARGET_(\w+)_URL")),
        scratch=_by_alias(values, re.compile(r"SCRATCH_(\w+)_URL")),
        bars_app=_by_alias(values, re.compile(r"BARS_APP_URL_(\w+)")),
        broker_url=_broker_url(values, why_no_demo),
        backup_dir=Path(
            _required(values, "BACKUP_DIR", "the directory that receives backups", why_no_demo)
        ).absolute(),
        pg_bin_dir=Path(pg_bin_dir) if pg_bin_dir else None,
        runbook_dirs=tuple(Path(part) for part in env.list("RUNBOOK_DIRS", default=[])),
        rehearsal_targets=tuple(alias.lower() for alias in env.list("REHEARSAL_TARGETS", default=[])),
        shell_users=_shell_users(env.list("PHASEGATE_SHELL_USERS", default=[])),
        sweep_seconds=_seconds(values, "SWEEP_SECONDS", default=60.0),
        lease_seconds=_seconds(values, "PHASEGATE_LEASE_SECONDS", default=30.0),
        verification_seconds=_seconds(values, "PHASEGATE_VERIFICATION_SECONDS", default=3600.0),
        sign_off_seconds=_seconds(values, "PHASEGATE_SIGN_OFF_SECONDS", default=7 * 86_400.0),
        step_up_seconds=_seconds(values, "PHASEGATE_STEP_UP_SECONDS", default=300.0),
        public_url=_public_url(values.get("PUBLIC_URL") or ""),
        email_url=_email_url(values),
        email_from=values.get("EMAIL_FROM") or "",
        notify_urls=_notify_urls(values),
    )


def running_demo(data_dir: Path) -> tuple[dict[str, str], str]:
    """Variables of the demo that runs on `data_dir`, or nothing and a sentence that says why."""
    noted = data_dir / ENVIRONMENT_FILE
    if not noted.is_file():
        return {}, "No demo is running either (`make demo` starts one)."
    if not embedded.owned_by_live_process(data_dir):
        return {}, f"The demo that wrote {noted} is not running any more (`make demo` starts it again)."
    found: dict[str, str] = json.loads(noted.read_text(encoding="utf-8"))
    return found, ""


def _required(values: Mapping[str, str], name: str, what: str, why_no_demo: str) -> str:
    value = values.get(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {what}. {why_no_demo}".strip())
    return value


def _secret_key(values: Mapping[str, str], why_no_demo: str) -> str:
    key = _required(values, "SECRET_KEY", "a long random string that signs sessions", why_no_demo)
    if len(key) < MIN_SECRET_LENGTH:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(key)} characters; at least {MIN_SECRET_LENGTH} are needed"
        )
    return key


def _typed(read_one: Any, name: str, *, default: Any) -> Any:
    try:
        return read_one(name, default=default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} cannot be read: {error}") from error


def _seconds(values: Mapping[str, str], name: str, *, default: float) -> float:
    # Not environ's reading of numbers, which takes commas and drops letters.
    given = values.get(name)
    if not given:
        return default
    try:
        seconds = float(given)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number of seconds, not '{given}'") from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise ImproperlyConfigured(f"{name} must be greater than 0 seconds, not '{given}'")
    return seconds


def _database_url(name: str, url: str) -> str:
    """The URL unchanged. The message never repeats it, since it holds a password."""
    parts = urlsplit(url)
    if parts.scheme not in DATABASE_SCHEMES or not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must look like postgresql://role:password@host:port/database")
    return url


def _broker_url(values: Mapping[str, str], why_no_demo: str) -> str:
    url = _required(values, "CELERY_BROKER_URL", "the Valkey or Redis server that carries tasks", why_no_demo)
    if urlsplit(url).scheme not in {"redis", "rediss"}:
        raise ImproperlyConfigured("CELERY_BROKER_URL must begin with redis:// or rediss://")
    return url


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
        raise ImproperlyConfigured(f"PUBLIC_URL must look like https://phasegate.example.org, not '{url}'")
    return url.rstrip("/")


def _email_url(values: Mapping[str, str]) -> str:
    """The URL unchanged. Messages never repeat it, since it may hold a password."""
    url = values.get("EMAIL_URL") or ""
    if url and not _is_mail_url(url):
        raise ImproperlyConfigured(
            "EMAIL_URL must look like smtp+tls://user:password@host:587, or begin with smtp+ssl:// or smtp://"
        )
    if url and not values.get("EMAIL_FROM"):
        raise ImproperlyConfigured("EMAIL_FROM is not set: the address from which EMAIL_URL sends")
    return url


def _is_mail_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in MAIL_SCHEMES and parts.port != 0
    except ValueError:  # a port that is no number: often a password with a character that belongs escaped
        return False


def _notify_urls(values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Messages never repeat an address: it holds the right to write to the chat."""
    told = [role for role in Role if role is not Role.AUDITOR]  # of whom nothing is ever wanted
    known = {NOTIFY_URLS, *(f"{NOTIFY_URLS}_{role.value.upper()}" for role in told)}
    found = {}
    for name, given in sorted(values.items()):
        if not name.startswith(NOTIFY_URLS) or not given.strip():
            continue
        if name not in known:
            raise ImproperlyConfigured(f"{name}: no role of that name; known are {', '.join(sorted(known))}")
        urls = tuple(BETWEEN_URLS.split(given.strip()))
        if any(not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", url) for url in urls):
            raise ImproperlyConfigured(
                f"{name} must hold addresses as Apprise writes them (slack://…, json://host/path), with "
                "spaces between"
            )
        found[name] = urls
    return found


def _by_alias(values: Mapping[str, str], pattern: re.Pattern[str]) -> dict[str, str]:
    found = {}
    for name, url in sorted(values.items()):
        match = pattern.fullmatch(name)
        if match and url:
            alias = match.group(1).lower()
            if alias in RESERVED_ALIASES:
                raise ImproperlyConfigured(
                    f"{name}: '{alias}' names the control database; choose another alias"
                )
            found[alias] = _database_url(name, url)
    return found


def _shell_users(pairs: list[str]) -> dict[str, str]:
    users = {}
    for pair in pairs:
        shell, found, panel = pair.partition("=")
        if not (shell.strip() and found and panel.strip()):
            raise ImproperlyConfigured(
                f"PHASEGATE_SHELL_USERS: '{pair}' is not of the form shelluser=panel.user"
            )
        users[shell.strip()] = panel.strip()
    return users
