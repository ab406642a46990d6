"""The plain facts: who there is, what the policy says in plain words, what was asked, signed and sent.

They share no code with the product, as the model that moves them (``approvals_model``) shares none.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ANA, ANNA, RAJ, LEA, MAX, EVE = "ana@x.org", "Ana@x.org", "raj@x.org", "lea@x.org", "max@x.org", "eve@x.org"
BOB, BOT = "BOB@x.org", "Bot@x.org"  # for whom the agent may act, and the agent itself, both in the group that decides
AGENT, ACTING_FOR = "bot@x.org", "bob@x.org"
PEOPLE = (ANA, RAJ, LEA, MAX, ANNA, EVE, BOB, BOT)
GROUPS = {
    "finance": {ANA, ANNA, RAJ, BOB, BOT},
    "leads": {LEA, ANA},
    "audit": {EVE, MAX, LEA, BOT},
    "ops": {EVE, BOT, BOB},
}
THREADS = ("t0", "t1")
VARIANTS = ("base", "strict", "gone", "glass", "open")
MAY_HOLD = {"glass": {RAJ}}  # who may break the glass, where that is not
HOLDERS = {MAX, ANA, BOT}
GLASSED = {"wire", "pay"}
UNGLASSED = {"gone": {"wire"}, "open": {"wire"}}  # of a tool that nobody has to approve no glass can be broken
GLASS_S, REVIEW_S, PER_PERSON = 120, 1_800, 2
MAX_CENTS, UNATTENDED_CENTS = 1_000, 100
ASK_AGAIN_S, CAPACITY = 300, 6
MINUTE = timedelta(minutes=1)
APART = 4 * MINUTE  # no further the clocks of two processes differ
AHEAD = 5 * MINUTE  # so far the clock of who signs may run ahead
WHY = "the payment run closes at noon and nobody answers"  # as long as a justification must be


class Terms(NamedTuple):
    """What the policy says of a call that it permits. A quorum of 0 asks nobody."""

    quorum: int
    editor: bool = False  # may the editor's signature count?
    hard: bool = False
    decide: timedelta = 60 * MINUTE
    execute: timedelta = 10 * MINUTE
    escalate: timedelta | None = None


def terms_of(variant: str, tool: str, cents: int) -> Terms | None:
    """Return what the policy file *variant* says of *tool* with *cents*, None where it permits no such call."""
    if not 0 < cents <= MAX_CENTS or (variant, tool) == ("gone", "wire"):
        return None
    if tool == "wire":
        quorum = {"strict": 3, "open": 0}.get(variant, 2)
        return Terms(quorum, escalate=20 * MINUTE)
    if tool == "pay":
        return Terms(1, editor=True)
    if tool == "seal":
        return Terms(1, hard=True)
    return Terms(0 if cents <= UNATTENDED_CENTS else 1)


def tag_of(variant: str, tool: str) -> str:
    """Return a name of all that the policy file *variant* says of *tool*: what is permitted by another is void."""
    touched = {"strict": {"wire"}, "gone": {"wire"}, "open": {"wire"}, "glass": GLASSED}
    return variant if tool in touched.get(variant, ()) else "base"


def person(name: str) -> str:
    return name.casefold()


@dataclass
class Slot:
    """One call that was proposed, or that an edit led to; ``generation`` counts the messages of its turn."""

    thread: str
    entry: str
    turn: int
    tool: str
    cents: int
    occurrence: int
    acting_for: str | None
    task: Any
    key: Any = None
    together: set[int] = field(default_factory=set)
    request: "Request | None" = None
    sends: int = 0
    effects: int = 0
    keys_sent: set[str] = field(default_factory=set)
    told_done: bool = False  # the model was told that it was carried out
    told_no: bool = False  # the model was told that it is not carried out
    proven_not: bool = False  # the server, or the wire, proved that nothing happened
    resolved_no: bool = False  # a person said that it did not happen
    erred: bool = False  # and could not have known
    closed: bool = False  # left behind by new input, a cancellation or another proposal of the turn

    @property
    def question(self) -> tuple[object, ...]:
        return self.tool, self.cents, self.acting_for

    @property
    def may_have_happened(self) -> bool:
        return self.sends > 0 and not self.proven_not and not self.resolved_no


@dataclass
class Cast:
    """A vote that was accepted."""

    name: str
    answer: str
    digest: str
    delegate: str | None
    keys: tuple[tuple[str, int], ...]  # (who, which key): first and second
    at: datetime  # as it was signed


@dataclass
class Request:
    """One request, by the plain rules."""

    id: str
    digest: str
    slot: Slot
    terms: Terms
    tag: str
    members: frozenset[str]
    created_at: datetime
    decide_by: datetime
    escalate_at: datetime | None
    parent: "Request | None" = None
    status: str = "pending"
    execute_by: datetime | None = None
    settled_at: datetime | None = None
    votes: list[Cast] = field(default_factory=list)
    tampered: bool = False
    asked_at: datetime | None = None  # when its group is told; None where it is not, or need not be any more
    handed_on: bool = False  # people are told of another of its question, now that it is settled
    answered: bool = False  # by people: whatever becomes of it then, they were not told in vain

    @property
    def is_dead(self) -> bool:
        return self.status not in ("pending", "approved", "consumed")

    @property
    def is_open(self) -> bool:
        return self.status == "pending" and not self.tampered


@dataclass
class Glass:
    request: Request
    by: str
    used_at: datetime
    due: datetime
    reviewed: bool = False
