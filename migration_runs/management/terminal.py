"""Who sits at the terminal, and what they answer when they are asked."""

from __future__ import annotations

import getpass
import os
import pwd
import sys

from django.conf import settings
from django.contrib.auth.models import User

from migration_runs.exceptions import NotAllowed, Refused
from migration_runs.services import step_up
from migration_runs.services.step_up import StepUp


def who(name: str | None) -> tuple[User, str]:
    """The account to act as, and how the panel knows: ``shell:NAME`` for a mapped shell user, else ``demo``.

    Raises Refused when neither applies: a name on a command line is no proof of a person.
    """
    shell = shell_user()
    mapped = settings.PHASEGATE_SHELL_USERS.get(shell)
    if name is None and mapped is None:
        raise Refused(
            f"Shell user {shell} is not mapped to an account: set PHASEGATE_SHELL_USERS to {shell}=ACCOUNT"
            + (", or name one with --as." if settings.PHASEGATE_DEMO else "."),
            rule="identity",
        )
    if name is not None and name != mapped and not settings.PHASEGATE_DEMO:
        raise Refused(
            f"--as {name} is refused: it works in demo mode, or for the account of a mapped shell user.",
            rule="identity",
        )
    username = name or mapped
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise Refused(f"There is no active account '{username}'.", rule="identity")
    return person, f"shell:{shell}" if username == mapped else "demo"


def shell_user() -> str:
    """Who runs this process, as the operating system knows it; the environment's USER proves nothing."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def require_reader(person: User) -> None:
    """Raises NotAllowed for an account that may not read runs."""
    if not person.has_perm("migration_runs.view_run"):
        raise NotAllowed(f"{person.get_username()} has no role that may read runs.", rule="role")


def prove(person: User) -> StepUp:
    """Ask for the person's password. Raises NotAllowed when it is wrong, Refused when nothing comes."""
    return step_up.prove(person, password=ask(f"Password of {person.get_username()}: ", secret=True))


def ask(prompt: str, *, secret: bool = False) -> str:
    """An answer from the terminal, or a line of standard input where there is none (a pipe in a script).

    The question goes to standard error or the terminal itself, so that standard output stays the answer's.
    Raises Refused at the end of the input.
    """
    if sys.stdin.isatty():
        if secret:
            return getpass.getpass(prompt)
        sys.stderr.write(prompt)
        sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise Refused(f"{prompt.strip().rstrip(':')}: nothing was typed. Nothing was done.", rule="S4")
    return line.rstrip("\r\n")
