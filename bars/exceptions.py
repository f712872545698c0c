"""What can go wrong in the bars system, as one tree; each docstring is the message's meaning."""

# ruff: noqa: N818 - the names read as what happened

from __future__ import annotations


class BarsError(Exception):
    """A command of the bars system could not do what it was asked."""


class UnknownTarget(BarsError):
    """No connection of the bars application is configured for this target."""


class AlreadyLoaded(BarsError):
    """The target holds bars already; loading would mix two worlds."""


class NotInstalled(BarsError):
    """The target has no bars tables, or the role may not create them."""


class DerivationFailed(BarsError):
    """A database function answered ``success: false``; nothing of this step was kept."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        """Keep the SQLSTATE that the function reported beside the message."""
        super().__init__(message)
        self.sqlstate = sqlstate


class DeploymentTimedOut(BarsError):
    """A process did not come back on the deployed version in time."""
