"""The audit trail: appended in the transaction of what it tells, chained by SHA-256, never changed.

An event's hash is over its canonical JSON, which includes the hash of the event before it. So an edited or
removed event breaks the chain at its place; that the end was not cut off is shown by comparing
``head`` with a copy kept elsewhere.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from django.db import connection, transaction

from migration_runs import control_sql
from migration_runs.models import AuditEvent, Run
from migration_runs.runbook.plan import canonical_json
from migration_runs.services.people import Actor

LOCK = 0x7068617365  # "phase": the advisory lock that keeps writers of the trail in a row
BATCH = 1_000
STRETCH = 20_000
"""Events that are verified by one statement."""

_BEFORE_ALL = -(2**63)


@dataclass(frozen=True)
class Head:
    """The last event: its number (0: none) and its hash."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Verified:
    """The result of reading the whole trail.

    ``broken_at`` is the first number that does not fit, and ``why``.
    """

    events: int
    head: Head
    broken_at: int | None = None
    why: str = ""

    @property
    def intact(self) -> bool:
        """Every event is where and what it was written as."""
        return self.broken_at is None


def append(
    *,
    actor: Actor,
    action: str,
    object: str,  # noqa: A002 - the column's name, and the auditor's word
    run: Run | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Write the next event in the caller's transaction, and keep other writers out until it ends.

    Raises TransactionManagementError outside a transaction: an event must stand or fall with its cause.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an audit event needs the transaction of what it tells")
    event = AuditEvent(
        run=run,
        actor=actor.name[:200],
        actor_how=actor.how[:100],
        action=action,
        object=object[:200],
        detail=plain(dict(detail or {})),
    )
    until_at, until_prev_hash, until_seq = _hashed_around(event)
    with connection.cursor() as cursor:
        cursor.execute(
            control_sql.read("audit_append.sql"),
            {
                "lock": LOCK,
                "run": event.run_id,
                "actor": event.actor,
                "actor_how": event.actor_how,
                "action": event.action,
                "object": event.object,
                "detail": canonical_json(event.detail),
                "until_at": until_at,
                "until_prev_hash": until_prev_hash,
                "until_seq": until_seq,
            },
        )
        cursor.nextset()
        event.seq, event.at, event.prev_hash, event.hash = cursor.fetchone()
    if event.hash != hash_of(event):
        raise RuntimeError(
            f"event {event.seq} was hashed as another than it is; its transaction must not commit"
        )
    event._state.adding, event._state.db = False, connection.alias
    return event


def _hashed_around(event: AuditEvent) -> tuple[str, str, str]:
    """What an event's hash is over: three texts, between which come its time, ``prev_hash`` and ``seq``.

    In the order of keys that :func:`canonical_json` has; ``append`` compares what came of it.
    """
    names = {"action": event.action, "actor": event.actor, "actor_how": event.actor_how}
    detail, where, run = (canonical_json(value) for value in (event.detail, event.object, event.run_id))
    return (
        f'{canonical_json(names)[:-1]},"at":"',
        f'","detail":{detail},"object":{where},"prev_hash":"',
        f'","run":{run},"seq":',
    )


def head() -> Head:
    """The last event's number and hash; number 0 and no hash before the first."""
    last = AuditEvent.objects.order_by("-seq").values_list("seq", "hash").first()
    return Head(*last) if last else Head(0, "")


def verify() -> Verified:
    """Read the whole trail in order, in constant memory, and report the first event that does not fit.

    The database does it, a stretch at a time; hashes that it cannot show to be right are computed here.
    """
    verified, after = Verified(events=0, head=Head(0, "")), _BEFORE_ALL
    while verified.intact:
        known = verified.head
        with connection.cursor() as cursor:
            cursor.execute(
                control_sql.read("audit_verify.sql"),
                {"after": after, "events": STRETCH, "seq": known.seq, "hash": known.hash},
            )
            count, last, last_hash, gap, torn, unshown = cursor.fetchone()
        if not count:
            break
        changed = _first_changed(unshown)
        broken = min((seq for seq in (gap, torn, changed) if seq is not None), default=None)
        if broken is None:
            verified, after = Verified(events=last, head=Head(last, last_hash)), last
        else:
            verified = _broken(broken, known, gap=broken == gap, torn=broken == torn)
    return verified


def _first_changed(seqs: list[int]) -> int | None:
    """The first of these events whose hash is not over what it says."""
    for start in range(0, len(seqs), BATCH):
        events = AuditEvent.objects.filter(seq__in=seqs[start : start + BATCH]).order_by("seq")
        for event in events.iterator(chunk_size=BATCH):
            if event.hash != hash_of(event):
                return event.seq
    return None


def _broken(at: int, known: Head, *, gap: bool, torn: bool) -> Verified:
    """The trail up to the event before ``at``; ``known`` is an event before it that fits."""
    before = AuditEvent.objects.filter(seq__gt=known.seq, seq__lt=at).order_by("-seq").first()
    last = Head(before.seq, before.hash) if before else known
    why = "it was changed: its hash is another"
    if gap:
        why = f"event {last.seq + 1} is missing"
    elif torn:
        why = "it does not name the hash of the event before it"
    return Verified(events=last.seq, head=last, broken_at=last.seq + 1, why=why)


def cut_off(noted: str) -> str:
    """Why the trail does not hold a head that was noted earlier as ``SEQ:HASH``; empty when it does."""
    seq, _, wanted = noted.partition(":")
    if not seq.isdecimal() or not wanted:
        return "a noted head looks like SEQ:HASH"
    found = AuditEvent.objects.filter(seq=int(seq)).values_list("hash", flat=True).first()
    if seq == "0" or found == wanted:
        return ""
    if found is None:
        return f"event {seq} is gone: the end was cut off"
    return f"event {seq} is another than the noted one"


def export() -> Iterator[dict[str, Any]]:
    """Every event as JSON-ready data, hashes included, oldest first."""
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=BATCH):
        yield content_of(event) | {"hash": event.hash}


def content_of(event: AuditEvent) -> dict[str, Any]:
    """What an event's hash is over."""
    return {
        "seq": event.seq,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "run": event.run_id,
        "actor": event.actor,
        "actor_how": event.actor_how,
        "action": event.action,
        "object": event.object,
        "detail": event.detail,
        "prev_hash": event.prev_hash,
    }


def hash_of(event: AuditEvent) -> str:
    """SHA-256 over the canonical JSON of :func:`content_of`, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content_of(event)).encode()).hexdigest()


def plain(value: Any) -> Any:  # noqa: PLR0911 - one line per kind of value
    """``value`` as JSON that comes back from a jsonb column as it went in.

    jsonb writes 1e22 and 10000000000000000000000 alike, so whole floats become integers; it cannot hold NUL.
    Raises TypeError for what has no JSON form.
    """
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int():
            return value
        case str():
            return value.replace("\x00", "\\x00")
        case float():
            return int(value) if value.is_integer() else value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case uuid.UUID():
            return str(value)
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in an audit event")
