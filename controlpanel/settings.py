"""Django settings. Everything that differs between installations comes from :mod:`controlpanel.env`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONE, SELF

from controlpanel import embedded_place, env

# Generic classes of Django's type stubs (ModelAdmin[Run]) must be so at run time as well.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env.read(os.environ)

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)

# -- Phasegate's own

PHASEGATE_DEMO = ENVIRONMENT.demo
PHASEGATE_SHELL_USERS = dict(ENVIRONMENT.shell_users)
TARGETS = dict(ENVIRONMENT.targets)
SCRATCH = dict(ENVIRONMENT.scratch)
BARS_APP = dict(ENVIRONMENT.bars_app)
BACKUP_DIR = ENVIRONMENT.backup_dir
PG_BIN_DIR = ENVIRONMENT.pg_bin_dir or embedded_place.wheel_postgres_dir() / "bin"
RUNBOOK_DIRS = list(ENVIRONMENT.runbook_dirs)
# Everything on a demo is a rehearsal.
REHEARSAL_TARGETS = frozenset(TARGETS if PHASEGATE_DEMO else ENVIRONMENT.rehearsal_targets)
SWEEP_SECONDS = ENVIRONMENT.sweep_seconds
PHASEGATE_LEASE_SECONDS = ENVIRONMENT.lease_seconds
PHASEGATE_VERIFICATION_SECONDS = ENVIRONMENT.verification_seconds
PHASEGATE_SIGN_OFF_SECONDS = ENVIRONMENT.sign_off_seconds
PHASEGATE_STEP_UP_SECONDS = ENVIRONMENT.step_up_seconds

# -- messages to people: where one is configured, workers send what the outbox holds

PUBLIC_URL = ENVIRONMENT.public_url
NOTIFY_EMAIL = bool(ENVIRONMENT.email_url)
NOTIFY_URLS = dict(ENVIRONMENT.notify_urls)
if NOTIFY_EMAIL:
    _mail = environ.Env.email_url_config(ENVIRONMENT.email_url)
    EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"] or "", _mail["EMAIL_HOST_PASSWORD"] or ""
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
    EMAIL_HOST = _mail["EMAIL_HOST"] or "localhost"
    EMAIL_PORT = _mail["EMAIL_PORT"] or (587 if EMAIL_USE_TLS else 465 if EMAIL_USE_SSL else 25)
    EMAIL_FILE_PATH = f"/{_mail['EMAIL_FILE_PATH'].lstrip('/')}"
    DEFAULT_FROM_EMAIL = ENVIRONMENT.email_from
EMAIL_TIMEOUT = 10  # seconds for each answer of the mail server

# -- applications

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_fsm",
    "pgtrigger",
    "controlpanel",
    "migration_runs",
    "bars",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "controlpanel.logged_out.BackToTheForm",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "controlpanel.urls"
WSGI_APPLICATION = "controlpanel.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# -- databases: the control database twice (app and owner role), and each target, for reading alone

# A process that is frozen inside a transaction holds the row of its run, and so keeps off every click and
# every worker of it, until the database ends its session: that must be sooner than a lease of 30 s.
SESSION_OPTIONS = (
    "-c timezone=UTC -c search_path=public -c lock_timeout=10s -c idle_in_transaction_session_timeout=20s"
)
# A killed process must not leave its statement running.
SESSION_OPTIONS += " -c client_connection_check_interval=5s"


def _database(url: str, *, options: str, application_name: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    given = config.pop("OPTIONS", {})  # from the URL's query, sslmode for one
    return config | {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "application_name": application_name,
            "options": options,
            # A host that vanished is noticed within 10 s, well inside a lease; the system's default is hours.
            "keepalives_idle": 4,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            **given,
        },
    }


DATABASES = {
    "default": _database(
        ENVIRONMENT.database_url,
        options=f"{SESSION_OPTIONS} -c statement_timeout=60s",
        application_name="phasegate/control",
    )
}
if ENVIRONMENT.database_owner_url:
    DATABASES["owner"] = _database(
        ENVIRONMENT.database_owner_url, options=SESSION_OPTIONS, application_name="phasegate/migrate"
    )
for _alias, _url in TARGETS.items():
    DATABASES[_alias] = _database(
        _url,
        options=f"{SESSION_OPTIONS} -c statement_timeout=30s -c default_transaction_read_only=on",
        application_name="phasegate/read",
    )
DATABASE_ROUTERS = ["controlpanel.routers.ControlAndTargets"]

# -- people

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"

# -- time, language, static files

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
# As the panel's own pages say it; used by the admin's lists.
DATETIME_FORMAT = r"D d M Y, H:i:s \U\T\C"
DATE_FORMAT = "D d M Y"
TIME_FORMAT = "H:i:s"
STATIC_URL = "static/"
# Outside production files are served from the apps: a fresh checkout works without collectstatic.
WHITENOISE_USE_FINDERS = DEBUG or PHASEGATE_DEMO
STATIC_ROOT = None if WHITENOISE_USE_FINDERS else BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if WHITENOISE_USE_FINDERS
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# -- security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds: one shift
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
# The demo speaks plain HTTP on 127.0.0.1, where a browser would refuse to send secure cookies back.
WITH_TLS = not (DEBUG or PHASEGATE_DEMO)
SESSION_COOKIE_SECURE = WITH_TLS
CSRF_COOKIE_SECURE = WITH_TLS
SECURE_SSL_REDIRECT = WITH_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Health checks come from inside, without the proxy that adds TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if WITH_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = WITH_TLS
SECURE_HSTS_PRELOAD = WITH_TLS

# -- tasks: messages carry ids only, may be lost or doubled, and nothing waits for their result

CELERY_BROKER_URL = ENVIRONMENT.broker_url
CELERY_TASK_DEFAULT_QUEUE = "runs"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_EVENT_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
# Celery by itself closes every connection before and after a task. Here Django's own rule holds, as in the
# web (CONN_MAX_AGE, CONN_HEALTH_CHECKS): controlpanel.celery applies it.
CELERY_DB_REUSE_MAX = 1_000_000
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A copy goes on without its broker: the lease in the control database says whose it is, not the connection.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Publishing gives up soon: the click that caused it has been committed, and the sweeper sends what was not
# sent.
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.4,
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    # A broker that takes the connection and then says nothing must not keep a click or a worker waiting.
    # Longer than the second for which a worker asks for a message at a time.
    "socket_timeout": 4,
    "socket_keepalive": True,
    "health_check_interval": 25,
    **CELERY_TASK_PUBLISH_RETRY_POLICY,
}
CELERY_TIMEZONE = "UTC"
# Beat has nothing to remember: a file with the time of its last message would outlast a clock that was wrong.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

# -- logs: to standard error, one line each; no module logs a URL or a secret

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # These would write the addresses of chats, which are secrets.
    "loggers": {name: {"handlers": ["nowhere"], "propagate": False} for name in ("apprise", "urllib3")},
}
