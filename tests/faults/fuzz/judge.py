"""Whether what a table holds can follow from what was committed: nothing lost, nothing resurrected.

Every write carries a token of its own, and the journal knows of each committed write the interval in
which it took effect: it cannot have before its statement was sent (``begin``), nor after its COMMIT was
answered (``end``). Both ends are taken by one clock on the client's side, outside of the server's work,
so the interval can only be too wide, never too narrow.

Write A is *before* write B of the same key when A's interval had ended before B's began, or when one
transaction said A and then B. When A is before B, B's statement ran on a database where A was committed.
So whatever the isolation level, the table that follows both has B's word or a later one: at READ
COMMITTED a statement sees everything committed before it began, and it wrote this very row (RETURNING
said so; a statement that matched no row is no write). B may have run on the other side of the move, where
A had not arrived yet; then too the protocol promises B, the later word. Neither side may end with A.

The row that a table may hold in the end is therefore one of a write that no other is before-dominated by:
a *last* write. Two writes whose intervals overlap have no order that a client could know; either may win,
and the judge accepts both. Hence no false alarm, at any isolation level. It can be too lenient only for
keys that are written by several at the very end; they are counted (``undecided``), and few.

That the two sides are equal is asked besides. A protocol that overwrites a committed write and leaves
both sides equal passes every comparison, and fails here.

Not of this order: one statement writing both sides of a key (no writer here does), and writes to a side
that is no longer mirrored (writers ask, inside their transaction, whether it is: see
:mod:`tests.faults.fuzz.writers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.fuzz import form as forms
from tests.faults.fuzz.form import Row
from tests.faults.fuzz.journal import Journal, Write


@dataclass(frozen=True)
class Violation:
    """Something that must not be. ``kind`` is one word, ``words`` the evidence."""

    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"


def last(writes: Sequence[Write]) -> list[Write]:
    """Those that no other write of the key comes after."""
    latest = max((one.begin for one in writes), default=0.0)
    orders: dict[int, int] = {}
    for one in writes:
        orders[one.tx] = max(one.order, orders.get(one.tx, -1))
    # A rekeying statement may free a key and a later one of its transaction take it again; within one
    # statement a key is written once.
    return [one for one in writes if one.end >= latest and one.order == orders[one.tx]]


def undecided(journal: Journal) -> int:
    """Keys for which more than one outcome would be accepted."""
    return sum(len({one.token for one in last(writes)}) > 1 for writes in journal.writes.values())


def holds(journal: Journal, rows: Mapping[int, Row], *, side: str) -> Iterator[Violation]:
    """What is wrong with the rows of a side that has the word."""
    for n in journal.writes.keys() | rows.keys():
        found = rows.get(n)
        token = found[0] if found is not None else None
        possible = last(journal.writes[n]) if n in journal.writes else []
        accepted = {one.token for one in possible} or {None}
        if token in accepted:
            if found is not None and found != forms.row_of(found[0]):
                yield Violation("torn", f"{side} {n} is {found}, not the row that {found[0]} wrote")
            continue
        words = f"{side} {n} is {token}, written at last: {_told(journal.writes.get(n, []))}"
        if token is None:
            kind = "lost"
        elif token in journal.undone:
            kind = "dirty"
        elif accepted == {None}:
            kind = "resurrected"
        else:
            kind = "lost"
        yield Violation(kind, words)


def alike(source: Mapping[int, Row], target: Mapping[int, Row]) -> Iterator[Violation]:
    """Keys in which the two sides differ."""
    for n in source.keys() | target.keys():
        if source.get(n) != target.get(n):
            yield Violation("unequal", f"{n}: source {_shown(source.get(n))}, target {_shown(target.get(n))}")


def _told(writes: Sequence[Write]) -> str:
    """The latest writes, each with its interval in seconds before the end of the last."""
    latest = sorted(writes, key=lambda one: one.end)[-6:]
    return "; ".join(
        f"{one.token} by {one.how or 'history'} (tx {one.tx}.{one.order}, "
        f"{latest[-1].end - one.begin:.3f} to {latest[-1].end - one.end:.3f} s before)"
        for one in latest
    )


def _shown(row: Row | None) -> str:
    return "none" if row is None else str(row[0])
