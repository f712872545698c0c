"""The parameters of a SQL file: ``%(name)s``, filled in by the panel, quoted as values."""

from __future__ import annotations

import re

_NAME = re.compile(r"%\((\w+)\)s")
_LONE_PERCENT = re.compile(r"%(?!%|\(\w+\)s)")

CHECK_PARAMETERS = frozenset({"now", "since", "switched_at", "open_from", "period_from"})
"""What a health check may use besides the plan's own parameters; see ``monitoring.Check``."""


RULE_PARAMETERS = frozenset({"lo", "hi"})
"""What a rule about the data may use besides; see ``data_rules.Rule``."""


def names(text: str) -> frozenset[str]:
    """The parameters that ``text`` uses."""
    return frozenset(_NAME.findall(text))


def lone_percent(text: str) -> int | None:
    """The line of the first percent sign that is neither doubled nor a parameter; None without one.

    In a file with parameters a literal percent sign is written twice, comments included.
    """
    found = _LONE_PERCENT.search(text.replace("%%", "  "))
    return text.count("\n", 0, found.start()) + 1 if found else None


def line_of(text: str, name: str) -> int:
    """The line on which a parameter is used first."""
    return text.count("\n", 0, text.index(f"%({name})s")) + 1


def as_sql(text: str) -> str:
    """The text as SQL that a parser accepts, line by line the same: each parameter a ``NULL``, each ``%%`` a
    percent sign.
    """
    if not names(text):
        return text
    return _NAME.sub("NULL", text).replace("%%", "%")
