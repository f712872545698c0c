"""Reasons that people and programs gave, as sentences."""

from __future__ import annotations


def sentence(text: str) -> str:
    """The text with a full stop, whoever wrote it; nothing stays nothing."""
    said = text.strip()
    return said if not said or said.endswith((".", "!", "?")) else f"{said}."
