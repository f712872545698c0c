"""What can go wrong with embedded servers. Each message says what happened, where, and what to do."""

from __future__ import annotations


class EmbeddedError(RuntimeError):
    """An embedded server cannot be set up or started."""


class DirectoryBusyError(EmbeddedError):
    """Another live process owns the data directory."""


class ServerFailedError(EmbeddedError):
    """A server ended or never became ready; the message carries the end of its log."""
