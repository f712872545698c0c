"""The options of ``run new``, and how their values are read."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime


def add_arguments(new: ArgumentParser) -> None:
    """What a new run is made of."""
    new.add_argument("--runbook", required=True, metavar="SLUG")
    new.add_argument("--target", required=True, metavar="ALIAS")
    new.add_argument("--data-decision", required=True, choices=["keep", "delete"])
    new.add_argument("--param", action="extend", nargs="+", default=[], metavar="K=V", type=pair)
    new.add_argument(
        "--assign", action="append", default=[], metavar="ROLE=USER", type=pair,
        help="the person for a role that several have",
    )  # fmt: skip
    new.add_argument(
        "--clock-speed", type=float, default=1.0, help="speed of the target's market clock (default 1)"
    )
    new.add_argument("--planned-start", type=moment, help="UTC, as 2026-03-05T18:00 (default: now)")


def pair(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` as two. Raises ArgumentTypeError."""
    name, found, value = text.partition("=")
    if not found or not name:
        raise ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def moment(text: str) -> datetime:
    """A moment, in UTC unless it says otherwise. Raises ArgumentTypeError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is no moment like 2026-03-05T18:00") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
