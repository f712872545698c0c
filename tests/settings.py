"""The project's own settings with addresses that lead nowhere: fixtures point them at real servers.

A test that uses a database without asking for a fixture fails to connect, instead of reaching real data.
"""

from __future__ import annotations

import os
import tempfile

_NOWHERE = "127.0.0.1:1"
_PREFIXES = ("TARGET_", "SCRATCH_", "BARS_APP_URL_", "EMAIL_", "NOTIFY_URLS", "PUBLIC_URL")

for _name in [name for name in os.environ if name.startswith(_PREFIXES)]:
    del os.environ[_name]
os.environ.update(
    {
        "SECRET_KEY": "for tests alone, never anywhere else 0123456789",
        "DATABASE_URL": f"postgresql://phasegate_app:nowhere@{_NOWHERE}/nowhere",
        "DATABASE_OWNER_URL": f"postgresql://phasegate_owner:nowhere@{_NOWHERE}/nowhere",
        "CELERY_BROKER_URL": f"redis://:nowhere@{_NOWHERE}/0",
        "BACKUP_DIR": os.path.join(tempfile.gettempdir(), "phasegate-no-backups-here"),  # noqa: PTH118 - not made
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "PHASEGATE_DEMO": "1",
        "SWEEP_SECONDS": "1",
    }
)
for _alias in ("BARS", "STAGING"):
    os.environ[f"TARGET_{_alias}_URL"] = f"postgresql://phasegate_runner:nowhere@{_NOWHERE}/nowhere"
    os.environ[f"SCRATCH_{_alias}_URL"] = f"postgresql://phasegate_runner:nowhere@{_NOWHERE}/nowhere"
    os.environ[f"BARS_APP_URL_{_alias}"] = f"postgresql://bars_app:nowhere@{_NOWHERE}/nowhere"

from controlpanel.settings import *  # noqa: E402, F403 - only after the environment is set

PASSWORD_HASHERS = ["tests.hashing.QuickHasher"]
