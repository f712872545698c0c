"""Django application of the bars system."""

from __future__ import annotations

from django.apps import AppConfig


class BarsConfig(AppConfig):
    """The bars system; its tables live in the target database and are never managed by Django."""

    name = "bars"
    verbose_name = "Bars (target database)"
    default_auto_field = "django.db.models.BigAutoField"
