"""Every record, in the order they arise on the way of a call.

Two kinds. A ``Record`` crosses a door between JSON and Python (files, state, votes): pydantic,
frozen, closed and strict. A plain frozen dataclass lives only inside one call, where validating
again what was just validated would be paid on every turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue


class Record(BaseModel):
    """Base of the records that cross a door: frozen, closed, strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# -- who asks ---------------------------------------------------------------------------------


class Principal(Record):
    """Who asks, and with which OAuth scopes (RFC 6749 section 3.3)."""

    id: str
    scopes: tuple[str, ...] = ()  # empty means none, as everywhere: no value means "all"
    acting_for: str | None = None


# -- where it comes from ----------------------------------------------------------------------


class Integrity(StrEnum):
    """Whether a text may come from somebody who is not the user."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Confidentiality(StrEnum):
    """Who may read a text, from everybody to few."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class Labels(Record):
    """The labels of a text, or of a thread: the join over all that it was exposed to."""

    integrity: Integrity = Integrity.UNTRUSTED
    confidentiality: Confidentiality = Confidentiality.RESTRICTED

    def join(self, other: "Labels") -> "Labels":
        """Return the stricter of both in each part; a label never loosens."""
        if other is self or other == self:
            return self
        return Labels(
            integrity=max(self.integrity, other.integrity, key=list(Integrity).index),
            confidentiality=max(self.confidentiality, other.confidentiality, key=list(Confidentiality).index),
        )


UNEXPOSED = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.PUBLIC)
"""The labels of a thread that has read nothing but its user's text."""


# -- what is asked for ------------------------------------------------------------------------


class ToolEffect(StrEnum):
    """What a tool does to the world, as the policy declares it."""

    READ = "read"
    WRITE = "write"
    EGRESS = "egress"


class ToolRef(NamedTuple):
    """The tool asked for: server, name, and the digest of its reviewed definition (hex)."""

    server: str
    name: str
    definition: str

    @property
    def key(self) -> str:
        """Return ``server/tool``, as policy and lockfile spell it."""
        return f"{self.server}/{self.name}"


class CallKey(NamedTuple):
    """What a claim is unique by (DESIGN I4): never a message, call, step or task id.

    ``entry`` is the id of the newest human message, ``turn`` the number of the model's turn
    since then (from 1), ``digest`` that of the bound call, ``occurrence`` counts equal calls
    within the turn (from 0).
    """

    thread: str
    entry: str
    turn: int
    digest: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class BoundCall:
    """One proposed call, with its arguments parsed once from their canonical bytes (RFC 8785).

    Schema, condition, approver and transport all see ``arguments``, and no other value.
    """

    key: CallKey
    tool: str  # "server/tool", or the unknown name that the model used
    call_id: str
    canonical: bytes
    arguments: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a policy decision point is asked: may *principal* make this call now?"""

    principal: Principal
    tenant: str
    tool: ToolRef
    arguments: Mapping[str, JsonValue]
    labels: Labels


@dataclass(frozen=True, slots=True)
class Proposal:
    """One call as the model proposed it, recorded before anything is decided about it."""

    key: CallKey
    tool: str
    call_id: str
    canonical: bytes
    consequential: bool  # needs a claim; a different proposal in its turn must close it first
    labels: Labels


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """What the store knows of a thread: its current entry, who asked, and what it was exposed to."""

    thread: str
    entry: str
    requester: Principal
    tenant: str
    labels: Labels


# -- what was decided -------------------------------------------------------------------------


class Effect(StrEnum):
    """What a policy decision point answers (XACML 3.0). There is no third kind."""

    PERMIT = "permit"
    DENY = "deny"


class Reason(StrEnum):
    """Why a call was denied. Stable codes: they stand in the audit log."""

    PERMITTED = "permitted"
    UNKNOWN_TOOL = "unknown_tool"
    QUARANTINED_TOOL = "quarantined_tool"
    UNKNOWN_PRINCIPAL = "unknown_principal"
    MISSING_SCOPE = "missing_scope"
    NO_RULE = "no_rule"
    CONDITION_NOT_MET = "condition_not_met"
    CONDITION_FAILED = "condition_failed"
    SCHEMA_MISMATCH = "schema_mismatch"
    RESERVED_ARGUMENT = "reserved_argument"
    UNDIGESTIBLE = "undigestible"
    INVALID_CALL = "invalid_call"
    NOT_PROPOSED = "not_proposed"
    SUPERSEDED = "superseded"
    LIMIT_REACHED = "limit_reached"
    NO_THREAD = "no_thread"
    NOT_DURABLE = "not_durable"
    STORE_UNAVAILABLE = "store_unavailable"
    GUARD_FAILED = "guard_failed"
    REJECTED = "rejected"
    ANSWERED = "answered"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    VOIDED = "voided"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a tool may be admitted. None means that the policy sets no such limit."""

    per_thread: int | None = None
    per_hour: int | None = None  # per principal and tenant, over the last 3,600 s


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ApprovalObligation:
    """A person has to agree before the permit counts."""

    rule: str
    group: str
    members: tuple[str, ...]
    quorum: int
    decide_within_s: int
    execute_within_s: int
    editor_may_approve: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one call. *policy* is the digest of the entries that decide it (hex)."""

    effect: Effect
    rule: str  # the id of the rule that decided; "default-deny" where none did
    reason: Reason
    detail: str = ""  # for people and the audit log; never shown to the model; never an argument
    policy: str = ""
    tool_effect: ToolEffect = ToolEffect.EGRESS
    idempotent: bool = False
    atomic: bool = False  # the server promises that an error reply means nothing happened
    irreversible: bool = False
    hard: bool = False
    durable: bool = False  # record before sending even though it is a read
    approval: ApprovalObligation | None = None
    limits: Limits = NO_LIMITS
    result_labels: Labels = Labels()

    @property
    def permitted(self) -> bool:
        """Return whether the call may go on (perhaps after an approval)."""
        return self.effect is Effect.PERMIT

    @property
    def claimed(self) -> bool:
        """Return whether the call needs a claim: all but plain reads without approval or limits."""
        return (
            self.tool_effect is not ToolEffect.READ
            or self.approval is not None
            or (self.limits is not NO_LIMITS and self.limits != NO_LIMITS)
            or self.durable
        )


# -- the approval -----------------------------------------------------------------------------


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


# -- the claim --------------------------------------------------------------------------------


class ClaimStatus(StrEnum):
    """Where the execution of a call stands (DESIGN section 8b)."""

    SENDING = "sending"
    EXECUTED = "executed"
    FAILED = "failed"
    CLOSED = "closed"  # refused or withdrawn: it was never sent and never will be
    IN_DOUBT = "in_doubt"
    HAPPENED = "happened"
    NOT_HAPPENED = "not_happened"
    NOT_OBSERVED = "not_observed"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model is told of a settled call: text, and whether it is an error."""

    status: ClaimStatus
    content: str
    is_error: bool
    reason: Reason = Reason.PERMITTED
    artifact: JsonValue = None  # structured content, as the server sent it


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim row of a call. *lease_until* is UTC; *outcome* is None until it is settled."""

    key: CallKey
    status: ClaimStatus
    owner: str
    attempt: int
    lease_until: datetime
    reason: Reason
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Permit:
    """That exactly *call* may be sent once. Made by the door's caller, never from state."""

    call: BoundCall
    tool: ToolRef
    decision: Decision
    principal: Principal
    tenant: str
    labels: Labels
    request: ApprovalRequest | None = None

    def covers(self, call: BoundCall) -> bool:
        """Return whether *call* is exactly the one that this permit was made for."""
        return (
            self.decision.permitted
            and self.call.key == call.key
            and self.call.canonical == call.canonical
            and self.call.tool == call.tool == self.tool.key
            and (self.request is None or self.request.key == call.key)
        )


# -- the proof --------------------------------------------------------------------------------


class AuditHead(NamedTuple):
    """The head of the audit log: its id, the number of entries, and the last entry's hash (hex)."""

    log: str
    size: int
    root: str
