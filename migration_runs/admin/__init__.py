"""The panel: the stock Django admin with pages of our own. Nobody imports this but Django."""

from __future__ import annotations

from migration_runs.admin import accounts, audit_pages, message_admin, records, run_admin

__all__ = ["accounts", "audit_pages", "message_admin", "records", "run_admin"]
