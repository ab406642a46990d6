"""The permit, the claim that consumes it, what came of it, and where the proof is."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import JsonValue

from guarded_agents.records._approval import ApprovalRequest
from guarded_agents.records._call import BoundCall, CallKey, ToolRef
from guarded_agents.records._decision import Decision, Reason
from guarded_agents.records._origin import Labels, Principal
from guarded_agents.records._statement import SignedResolution


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
class Answered:
    """What a server answered, as it was read, and the join of the labels of its fields."""

    value: JsonValue = field(repr=False)
    labels: Labels


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model is told of a settled call: text, and whether it is an error."""

    status: ClaimStatus
    content: str
    is_error: bool
    reason: Reason = Reason.PERMITTED
    artifact: JsonValue = None  # structured content, as the server sent it
    answer: Answered | None = field(default=None, compare=False, repr=False)  # of this very reply; not on record


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim row of a call. *lease_until* and *admitted_at* are UTC; *outcome* is None until it is settled."""

    key: CallKey
    status: ClaimStatus
    owner: str
    attempt: int
    lease_until: datetime
    reason: Reason
    outcome: Outcome | None
    admitted_at: datetime | None = None  # when it was sent first, or was about to be; None where it never was


@dataclass(frozen=True, slots=True)
class Execution:
    """A claim row as a person looks at it, and what people said of it, the oldest first.

    Times are UTC. What a resolution says is proven by it alone; of a text that was erased nothing is left.
    """

    claim: Claim
    tool: str
    tenant: str
    changed_at: datetime
    resolutions: tuple[SignedResolution, ...] = ()


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


class AuditHead(NamedTuple):
    """The head of the audit log: its id, the number of entries, and the root of their tree (RFC 6962, hex)."""

    log: str
    size: int
    root: str
