"""The panel: the stock Django admin with pages of our own. Nobody imports this but Django."""

from __future__ import annotations

from migration_runs.admin import message_admin, records, run_admin

__all__ = ["message_admin", "records", "run_admin"]
