"""Passwords of tests: hashed by the project's own algorithm, so that its processes know them, but quickly."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """PBKDF2 with one iteration. The number stands in the hash, where the real hasher reads it."""

    iterations = 1
