"""Rows out of and into the server by COPY, as a program would that computes elsewhere."""

from __future__ import annotations

import io
from typing import Any

import psycopg

from bench import world as worlds

SEGMENT = 1 << 20


def out(conn: psycopg.Connection[Any], name: str) -> io.BytesIO:
    """What the COPY … TO STDOUT of ``bench/sql`` gives, whole, at its beginning."""
    received = io.BytesIO()
    with conn.cursor() as cursor, cursor.copy(worlds.statement(name).encode()) as copy:
        for data in copy:
            received.write(data)
    received.seek(0)
    return received


def into(conn: psycopg.Connection[Any], name: str, content: bytes | memoryview) -> None:
    """Give ``content`` to the COPY … FROM STDIN of ``bench/sql``."""
    view = memoryview(content)
    with conn.cursor() as cursor, cursor.copy(worlds.statement(name).encode()) as copy:
        for start in range(0, len(view), SEGMENT):
            copy.write(view[start : start + SEGMENT])
