"""The matrix of faults and moments as data: which cells mean something, what each must show, which are void.

``needs`` names what people must do beyond their routine for the run to go on: nothing, in most cells. A cell
marked ``ci`` is carried out with every test run, all of them by ``make faults-matrix``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOMENTS: Final = {
    "before-claim": "before claim",
    "claimed": "claimed",
    "inside-sql": "inside SQL",
    "committed": "committed before ack",
    "acked": "acked before next dispatch",
    "sign-off": "during a sign-off click",
    "code-switch": "during the code switch",
    "rollback": "during rollback",
    "check": "at an hourly check",
}

FAULTS: Final = {
    "web-kill": "web SIGKILL",
    "child-kill": "worker child SIGKILL",
    "parent-kill": "worker parent SIGKILL",
    "freeze": "SIGSTOP, SIGCONT past the lease",
    "deploy": "SIGTERM deploy",
    "beat-down": "beat down",
    "two-beats": "two beats",
    "broker-kill": "broker killed",
    "flushall": "FLUSHALL",
    "broker-away": "broker unreachable",
    "control-crash": "control database crash-stopped",
    "target-crash": "target crash-stopped",
    "cancel": "backend cancelled",
    "lock": "lock held",
    "disk-full": "disk full",
    "read-only": "target read-only",
    "clock": "clock jump of an hour",
    "approver": "plan or approver changed",
}


@dataclass(frozen=True)
class Cell:
    """One fault at one moment. ``void`` says why it means nothing, where it does not."""

    fault: str
    moment: str
    shows: str = ""
    needs: frozenset[str] = frozenset()
    ci: bool = False
    void: str = ""

    @property
    def id(self) -> str:
        """``fault-moment``, as a test's id."""
        return f"{self.fault}-{self.moment}"


def _row(
    fault: str,
    *,
    shows: str,
    at: str,
    ci: str = "",
    needs: tuple[str, ...] = (),
    special: dict[str, tuple[str, tuple[str, ...]]] | None = None,
    void: dict[str, str] | None = None,
) -> dict[tuple[str, str], Cell]:
    """The cells of a fault; ``at`` and ``ci`` are moments with blanks between."""
    cells = {}
    for moment in at.split():
        text, people = (special or {}).get(moment, (shows, needs))
        cells[fault, moment] = Cell(fault, moment, text, frozenset(people), moment in ci.split())
    for moments, why in (void or {}).items():
        for moment in moments.split():
            cells[fault, moment] = Cell(fault, moment, void=why)
    return cells


WORKING = "before-claim claimed inside-sql committed acked code-switch rollback check"
"""Moments at which workers, and not a person's click, decide what happens."""

NO_WORKER = "no worker takes part in a click"
NO_BROKER = "a signature sends no message: only the start that follows it does"
SAME_LEASE = "the same as inside SQL: what is sent finds the lease taken"

CELLS: Final[dict[tuple[str, str], Cell]] = {
    **_row(
        "web-kill",
        shows="What was committed before the panel died goes on without it.",
        at="before-claim sign-off", ci="sign-off",
        special={"sign-off": (
            "The signature is there once or not at all; clicking again does what is missing.", ()
        )},
        void={"claimed inside-sql committed code-switch rollback check": "web takes no part in it",
              "acked": "the same as during a sign-off click: a person's word is a click as well"},
    ),
    **_row(
        "child-kill",
        shows="Another child takes the phase up when the lease has run out; nothing is done twice.",
        at=WORKING, ci="inside-sql rollback check",
        void={"sign-off": NO_WORKER},
    ),
    **_row(
        "parent-kill",
        shows="A new worker and the orphaned child never both write; the phase ends once.",
        at=WORKING, ci="claimed committed code-switch",
        void={"sign-off": NO_WORKER},
    ),
    **_row(
        "freeze",
        shows="A successor goes on; the zombie that wakes up afterwards writes nothing.",
        at="before-claim claimed inside-sql acked sign-off code-switch rollback check",
        ci="claimed inside-sql sign-off",
        special={"sign-off": (
            "A frozen panel keeps nobody else from the run for longer than its transaction may be idle.", ()
        )},
        void={"committed": "nothing is left to do for the process that committed"},
    ),
    **_row(
        "deploy",
        shows="Old processes end what they are in or leave it to the new ones; no step is done twice.",
        at=f"{WORKING} sign-off", ci="inside-sql code-switch",
    ),
    **_row(
        "beat-down",
        shows="What was told to a worker is done without beat; the rest when beat is back.",
        at="before-claim inside-sql acked code-switch rollback check", ci="acked",
        void={"sign-off": "beat takes no part in a click", "claimed": SAME_LEASE,
              "committed": "beat takes no part before the next start"},
    ),
    **_row(
        "two-beats",
        shows="Every hint comes twice and only one claim succeeds.",
        at="before-claim inside-sql acked code-switch rollback check", ci="check",
        void={"sign-off": "beat takes no part in a click", "claimed": SAME_LEASE,
              "committed": "beat takes no part before the next start"},
    ),
    **_row(
        "broker-kill",
        shows="Work under way goes on without a broker; what was lost is sent again by the sweeper.",
        at=WORKING, ci="before-claim inside-sql",
        void={"sign-off": NO_BROKER},
    ),
    **_row(
        "flushall",
        shows="A message that vanished is sent again from the rows.",
        at="before-claim inside-sql committed acked rollback check", ci="acked",
        void={"sign-off": NO_BROKER, "claimed": SAME_LEASE, "code-switch": SAME_LEASE},
    ),
    **_row(
        "broker-away",
        shows="No click and no worker hangs on a broker that does not answer.",
        at="before-claim inside-sql committed acked rollback check", ci="acked",
        void={"sign-off": NO_BROKER, "claimed": SAME_LEASE, "code-switch": SAME_LEASE},
    ),
    **_row(
        "control-crash",
        shows="The result is recorded once the database is back, or the phase is taken up again.",
        at=f"{WORKING} sign-off", ci="inside-sql sign-off rollback",
        special={"sign-off": ("The signature is there once or not at all.", ())},
    ),
    **_row(
        "target-crash",
        shows="What was not committed is gone and done again; the target is waited for.",
        at=f"{WORKING} sign-off", ci="inside-sql code-switch rollback",
        special={
            "sign-off": ("The panel works while the target is away.", ()),
            "check": ("A check that could not be measured holds the run.", ("resume",)),
        },
    ),
    **_row(
        "cancel",
        shows="The statement is rolled back whole and tried again, or the phase says what happened.",
        at="claimed inside-sql code-switch rollback check", ci="inside-sql",
        needs=("retry",),
        special={
            "inside-sql": ("The chunk is rolled back whole and copied again.", ()),
            "rollback": ("The deletion is rolled back whole and made again.", ()),
            "check": ("A check that could not be measured holds the run.", ("resume",)),
        },
        void={"before-claim committed acked sign-off": "no statement of ours runs on the target then"},
    ),
    **_row(
        "lock",
        shows="We give way until the application's transaction ends; the application never waits for us.",
        at="inside-sql code-switch rollback", ci="rollback",
        void={"before-claim claimed committed acked sign-off": "no lock of an application is in the way",
              "check": "checks and verification take no lock that conflicts with an application's"},
    ),
    **_row(
        "disk-full",
        shows="The chunk is rolled back whole, the phase fails with the server's words; retried, it goes on.",
        at="inside-sql", ci="inside-sql",
        needs=("retry",),
        void={"before-claim claimed committed acked sign-off check": "nothing that grows is written then",
              "code-switch rollback": "the same as inside SQL: a statement fails and is rolled back whole"},
    ),
    **_row(
        "read-only",
        shows="The phase fails and says that it may not write; retried, it goes on.",
        at="claimed inside-sql code-switch rollback check", ci="code-switch",
        needs=("retry",),
        special={
            "rollback": ("The undo fails and says why; tried again, it goes on.", ("retry the rollback",)),
            "check": ("A check whose session ended holds the run.", ("resume",)),
        },
        void={"before-claim": "the same as claimed: the target is written only after the claim",
              "committed acked sign-off": "nothing is written to the target then"},
    ),
    **_row(
        "clock",
        shows="Leases, due checks and waits follow the database's clock, not a host's.",
        at="before-claim inside-sql acked sign-off rollback check", ci="check",
        special={"sign-off": ("The signature counts, or a stale password is asked for again.", ())},
        void={"claimed committed code-switch": "the same as inside SQL: no clock is read in between"},
    ),
    **_row(
        "approver",
        shows="Work under way ends; before the next phase the run is held until somebody else has signed.",
        at="inside-sql sign-off code-switch rollback check", ci="code-switch",
        needs=("sign again", "resume"),
        special={"rollback": ("A rollback needs no approval that could become void.", ())},
        void={"before-claim claimed": "the same as inside SQL: approvals are looked at before the start",
              "committed acked": "the same as during a sign-off click: looked at again at the next start"},
    ),
}  # fmt: skip

MEANT: Final = tuple(
    cell for fault in FAULTS for moment in MOMENTS if not (cell := CELLS[fault, moment]).void
)
CI: Final = tuple(cell for cell in MEANT if cell.ci)
