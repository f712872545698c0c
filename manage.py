#!/usr/bin/env python
"""Command line of Phasegate: ``python manage.py help``."""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from controlpanel import demo_servers


def main() -> None:
    """Run the command; the demo's commands bring their own servers along."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")
    with demo_servers.for_command(sys.argv):
        _check_settings()
        execute_from_command_line(sys.argv)


def _check_settings() -> None:
    """Say in one line what is wrong with the environment, where Django would print a traceback."""
    try:
        _ = settings.SECRET_KEY
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
