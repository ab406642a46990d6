"""The request that waits for a person, where it stands, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from guarded_agents.records._base import Record
from guarded_agents.records._call import CallKey
from guarded_agents.records._decision import Reason
from guarded_agents.records._miss import Miss
from guarded_agents.records._origin import Labels, Principal
from guarded_agents.records._statement import ReviewFinding


class Risk(StrEnum):
    """How much a wrong approval could cost, from little to much."""

    LOW = "low"  # reads
    MEDIUM = "medium"
    HIGH = "high"  # irreversible, or leaves the house after untrusted text was read

    @property
    def rank(self) -> int:
        """Return 0, 1 or 2, growing with the risk."""
        return tuple(Risk).index(self)


class RequestStatus(StrEnum):
    """Where an approval request stands (DESIGN section 8)."""

    PENDING = "pending"
    APPROVED = "approved"
    CONSUMED = "consumed"
    ANSWERED = "answered"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    VOIDED = "voided"

    @property
    def is_open(self) -> bool:
        """Return whether the request can still lead to an execution."""
        return self in (RequestStatus.PENDING, RequestStatus.APPROVED)


REFUSES: Final[Mapping[RequestStatus, Reason]] = MappingProxyType(
    {
        status: Reason(status.value)
        for status in RequestStatus
        if not status.is_open and status is not RequestStatus.CONSUMED
    }
)
"""Why a call is refused whose request ended thus; none for one that is open, or was consumed."""


class ApprovalRequest(Record):
    """One call that waits for a person. All times are UTC; digests are hex."""

    id: str
    thread: str
    entry: str
    turn: int
    call_digest: str
    occurrence: int
    call_id: str
    server: str
    tool: str
    definition: str
    arguments: str  # canonical JSON (RFC 8785)
    requester: Principal
    tenant: str
    labels: Labels
    policy: str  # digest of the entries that decided
    rule: str
    approval_rule: str
    group: str
    members: tuple[str, ...]
    quorum: int
    editor_may_approve: bool
    execute_within_s: int
    backup: str | None  # the group that may answer as well from escalate_at on
    escalate_at: datetime | None
    risk: Risk
    hard: bool  # decided by a hard rule: no glass can be broken
    question: str  # keyed digest of who asks for what, wherever and whenever it is asked
    created_at: datetime
    decide_by: datetime
    digest: str  # over all that a permit covers (DESIGN I2); this is what a vote signs
    parent: str | None = None  # the request that an edit superseded
    misses: tuple[Miss, ...] = ()  # what it has no authority for by itself (DESIGN section 7)

    @property
    def key(self) -> CallKey:
        """Return the key of the claim that this request would be consumed by."""
        return CallKey(self.thread, self.entry, self.turn, self.call_digest, self.occurrence)


class RequestSummary(NamedTuple):
    """One line of a list of requests. Times are UTC. Not verified: what is signed is the whole request."""

    id: str
    status: RequestStatus
    risk: Risk
    tool: str  # server/tool
    principal: str
    tenant: str
    group: str
    quorum: int
    votes: int  # how many have approved it; whether they still count, only the whole request tells
    question: str
    thread: str
    decide_by: datetime
    escalate_at: datetime | None


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """An approval by one person in an emergency, and its review. Times are UTC; None until the thing happened."""

    request: str
    approver: str
    used_at: datetime
    review_due: datetime
    finding: ReviewFinding | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None

    def is_overdue(self, *, now: datetime) -> bool:
        """Return whether the review is missing after its date at *now* (UTC)."""
        return self.finding is None and now >= self.review_due


@dataclass(frozen=True, slots=True)
class StandingRequest:
    """A request and where it stands. Times are UTC; None until the thing happened."""

    request: ApprovalRequest
    status: RequestStatus
    execute_by: datetime | None = None  # set when it is approved
    settled_at: datetime | None = None
    settled_by: str | None = None  # the approver whose vote settled it
    text: str | None = None  # the response or the reason that the approver gave
    broke_glass: bool = False  # approved by one person in an emergency
    successor: str | None = None  # the request or call digest that an edit led to


class Electorate(NamedTuple):
    """Who counts at this moment: eligible now, and with a proof that stands where one was given."""

    voters: frozenset[str]
    holders: frozenset[str] = frozenset()  # who may break the glass


class NoticeKind(StrEnum):
    """Why somebody is told of a request."""

    ASKED = "asked"
    ESCALATED = "escalated"
    DELEGATED = "delegated"
    GLASS_BROKEN = "glass_broken"
    REVIEW_OVERDUE = "review_overdue"


@dataclass(frozen=True, slots=True)
class Notice:
    """What an approver is told of a request: never its arguments. ``id`` is the same for every attempt to deliver."""

    id: str
    kind: NoticeKind
    request: str
    risk: Risk
    to: str  # an approver group, or the delegate
    at: datetime  # UTC
    attempt: int = 1
