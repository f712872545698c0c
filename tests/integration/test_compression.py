"""Pages are compressed, so that a poll is small; what is secret in them cannot be guessed by its length."""

from __future__ import annotations

import gzip

import pytest
from django.http import HttpResponse

from migration_runs.phases import Role
from tests.integration import panel
from tests.integration.panel import url
from tests.integration.reading import as_role

pytestmark = pytest.mark.usefixtures("control_db", "broker")

GZIP = {"accept-encoding": "gzip"}
TRIES = 12


def test_a_page_travels_in_a_fifth_of_its_size_at_most() -> None:
    scene = panel.monitored()
    client = as_role(scene, Role.DBA)
    plain = client.get(url("live", scene.run_id))
    packed = client.get(url("live", scene.run_id), headers=GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert len(packed.content) * 5 < len(plain.content)
    assert b"pg-strip" in gzip.decompress(packed.content)


def test_the_same_page_has_another_length_each_time() -> None:
    scene = panel.cancelled()
    client = as_role(scene, Role.DBA)

    def answer() -> HttpResponse:
        found: HttpResponse = client.get(url("live", scene.run_id), headers=GZIP)  # type: ignore[assignment]
        return found

    assert len({len(answer().content) for _ in range(TRIES)}) > TRIES // 3


def test_a_log_that_is_downloaded_is_compressed_piece_by_piece() -> None:
    scene = panel.started(2)
    answer = as_role(scene, Role.DBA).get(url("log", scene.run_id), headers=GZIP)
    assert answer.streaming
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(answer.streaming_content)) == b""  # type: ignore[attr-defined]
