"""Hints are sent after the commit, and a broker that is away fails nothing."""

from __future__ import annotations

import json
import logging

import pytest
import redis
from django.db import transaction

from controlpanel import embedded
from controlpanel.embedded_databases import ControlUrls
from migration_runs import dispatch


def _waiting(broker: str, queue: str) -> list[str]:
    """Tasks that wait in a queue, oldest first, as ``name(args)``."""
    with redis.Redis.from_url(broker, decode_responses=True) as client:
        messages = [json.loads(raw) for raw in client.lrange(queue, 0, -1)]
    return [
        f"{m['headers']['task'].rpartition('.')[2]}{m['headers']['argsrepr']}" for m in reversed(messages)
    ]


def test_a_hint_leaves_when_its_transaction_is_committed(broker: str, control_db: ControlUrls) -> None:
    with transaction.atomic():
        dispatch.after_commit("run_phase", 7)
        assert _waiting(broker, "runs") == []
    assert _waiting(broker, "runs") == ["run_phase[7]"]


def test_a_rolled_back_transaction_sends_nothing(broker: str, control_db: ControlUrls) -> None:
    with transaction.atomic():
        dispatch.after_commit("run_phase", 7)
        transaction.set_rollback(True)
    assert _waiting(broker, "runs") == []


def test_each_task_goes_to_its_own_queue(broker: str, control_db: ControlUrls) -> None:
    dispatch.send("work_chunks", 7, token=3)
    dispatch.send("run_due_checks", 8)
    dispatch.send("verify_run", 9)
    assert _waiting(broker, "chunks") == ["work_chunks[7, 3]"]
    assert _waiting(broker, "checks") == ["run_due_checks[8]"]
    assert _waiting(broker, "verification") == ["verify_run[9]"]


def test_an_unknown_task_is_refused_before_the_commit(broker: str, control_db: ControlUrls) -> None:
    with pytest.raises(KeyError), transaction.atomic():
        dispatch.after_commit("no_such_task", 7)


@pytest.mark.faults
def test_a_broker_that_is_down_fails_no_click(
    cluster: embedded.Cluster, broker: str, control_db: ControlUrls, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.crash_valkey()
    try:
        with caplog.at_level(logging.WARNING), transaction.atomic():
            dispatch.after_commit("run_phase", 7)
    finally:
        cluster.start_valkey()
    assert "could not send run_phase 7" in caplog.text
    assert dispatch.send("run_phase", 7)
    assert _waiting(broker, "runs") == ["run_phase[7]"]
