"""The project as a Django application: what every process of it needs before it does anything."""

from __future__ import annotations

from django.apps import AppConfig


class ControlPanelConfig(AppConfig):
    """Loads the Celery application: web and commands too send hints to the broker of the settings."""

    name = "controlpanel"

    def ready(self) -> None:
        """Import it here: the package itself stays light for probes and for the demo's servers."""
        from controlpanel import celery  # noqa: F401, PLC0415 - imported for its effect, once settings are there
