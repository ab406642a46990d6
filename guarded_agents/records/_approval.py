"""The request that waits for a person, and the votes on it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from guarded_agents.records._base import Record
from guarded_agents.records._call import CallKey
from guarded_agents.records._origin import Labels, Principal


class Answer(StrEnum):
    """What an approver answers (LangChain's words)."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    RESPOND = "respond"


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
    created_at: datetime
    decide_by: datetime
    digest: str  # over all that a permit covers (DESIGN I2); this is what a vote signs
    parent: str | None = None  # the request that an edit superseded

    @property
    def key(self) -> CallKey:
        """Return the key of the claim that this request would be consumed by."""
        return CallKey(self.thread, self.entry, self.turn, self.call_digest, self.occurrence)


class Vote(Record):
    """The statement that an approver signs. ``at`` is UTC; ``nonce`` is 32 hex digits."""

    request: str
    digest: str  # of the request, or of the edited one where ``answer`` is edit
    approver: str
    answer: Answer
    arguments: str | None = None  # canonical JSON of the edited arguments
    text: str | None = None  # the reason of a rejection, or the response
    at: datetime
    nonce: str


class SignedVote(Record):
    """A vote and the Ed25519 signature over its statement (RFC 8032), base64."""

    vote: Vote
    signature: str


@dataclass(frozen=True, slots=True)
class StandingRequest:
    """A request and where it stands. Times are UTC; None until the thing happened."""

    request: ApprovalRequest
    status: RequestStatus
    execute_by: datetime | None = None  # set when it is approved
    settled_at: datetime | None = None
    settled_by: str | None = None  # the approver whose vote settled it
    text: str | None = None  # the response or the reason that the approver gave
    successor: str | None = None  # the request or call digest that an edit led to
