"""One call that waits for a person, and the people around it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guarded_agents import binding
from guarded_agents.approval import AllowedKey, Signers, open_request, sign
from guarded_agents.records import (
    UNEXPOSED,
    AccessRequest,
    Answer,
    ApprovalObligation,
    ApprovalRequest,
    BoundCall,
    Decision,
    Effect,
    Principal,
    Reason,
    RequestStatus,
    SignedVote,
    StandingRequest,
    ToolEffect,
    ToolRef,
    Vote,
)

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
KEY = b"k" * 32
PEOPLE = ("ana@example.com", "raj@example.com", "zoe@example.com", "desk-agent", "bob")
PRIVATE = {name: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n, name in enumerate(PEOPLE, 1)}
SIGNERS = Signers({name: (AllowedKey(key.public_key()),) for name, key in PRIVATE.items()})
MEMBERS = frozenset({"ana@example.com", "raj@example.com"})
OBLIGATION = ApprovalObligation("refund-over-50", "finance", ("raj@example.com", "ana@example.com"), 1, 14_400, 900)


def bound(arguments: dict[str, object], **changes: object) -> BoundCall:
    values = {
        "key": KEY,
        "requester": "desk-agent",
        "place": ("thread", "entry", 1),
        "tool": "payments/refund",
        "call_id": "call-1",
        "arguments": arguments,
    }
    return binding.bind(**(values | changes))  # type: ignore[arg-type]


def permits(approval: ApprovalObligation | None = OBLIGATION, **changes: object) -> Decision:
    decision = Decision(
        Effect.PERMIT, "refunds", Reason.PERMITTED, policy="p" * 64, tool_effect=ToolEffect.WRITE, approval=approval
    )
    return replace(decision, **changes)  # type: ignore[arg-type]


ACCESS = AccessRequest(
    principal=Principal(id="desk-agent", scopes=("refunds:write",), acting_for="bob"),
    tenant="acme",
    tool=ToolRef("payments", "refund", "d" * 64),
    arguments={"amount_cents": 8200, "order_id": "1"},
    labels=UNEXPOSED,
)
CALL = bound({"order_id": "1", "amount_cents": 8200})


def opened(**changes: object) -> ApprovalRequest:
    obligation = replace(OBLIGATION, **changes)  # type: ignore[arg-type]
    return open_request(CALL, ACCESS, permits(obligation), key=KEY, now=TEN)


def voted(request: ApprovalRequest, approver: str = "ana@example.com", /, **changes: object) -> SignedVote:
    values: dict[str, object] = {
        "request": request.id,
        "digest": request.digest,
        "approver": approver,
        "answer": Answer.APPROVE,
        "at": TEN + timedelta(minutes=1),
        "nonce": "0" * 32,
    }
    return sign(Vote(**(values | changes)), PRIVATE[approver])  # type: ignore[arg-type]


def standing(status: RequestStatus = RequestStatus.PENDING, **changes: object) -> StandingRequest:
    return StandingRequest(opened(**changes), status)
