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
    BreakGlassTerms,
    Decision,
    Effect,
    Electorate,
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
ANA, RAJ, ZOE = "ana@example.com", "raj@example.com", "zoe@example.com"
MAX, LEA = "max@example.com", "lea@example.com"
PEOPLE = (ANA, RAJ, ZOE, "desk-agent", "bob", MAX, LEA)
PRIVATE = {name: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n, name in enumerate(PEOPLE, 1)}
SECOND = {name: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n, name in enumerate(PEOPLE, 101)}
SIGNERS = Signers(
    {name: (AllowedKey(PRIVATE[name].public_key()), AllowedKey(SECOND[name].public_key())) for name in PEOPLE}
)
MEMBERS = frozenset({ANA, RAJ})
BACKUP = frozenset({ZOE})
HOLDERS = frozenset({MAX, "desk-agent"})
ELECTORATE = Electorate(MEMBERS, HOLDERS)
OBLIGATION = ApprovalObligation("refund-over-50", "finance", (RAJ, ANA), 1, 14_400, 900)
ESCALATES = replace(OBLIGATION, backup="finance-leads", escalate_within_s=1_800)
TERMS = BreakGlassTerms(
    holders=HOLDERS,
    tools=frozenset({"payments/refund"}),
    per_person=2,
    period_s=86_400,
    execute_within_s=300,
    review_within_s=172_800,
    reviewers="audit",
)
WHY = "the payment run closes at noon and nobody answers"


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


def opened(*, members: frozenset[str] = MEMBERS, hard: bool = False, **changes: object) -> ApprovalRequest:
    obligation = replace(OBLIGATION, **changes)  # type: ignore[arg-type]
    return open_request(CALL, ACCESS, permits(obligation, hard=hard), members=members, key=KEY, now=TEN)


def voted(request: ApprovalRequest, approver: str = ANA, /, **changes: object) -> SignedVote:
    values: dict[str, object] = {
        "request": request.id,
        "digest": request.digest,
        "approver": approver,
        "answer": Answer.APPROVE,
        "at": TEN + timedelta(minutes=1),
        "nonce": "0" * 32,
    }
    vote = Vote(**(values | changes))  # type: ignore[arg-type]
    return sign(vote, PRIVATE[approver], second=SECOND[approver] if vote.answer is Answer.BREAK_GLASS else None)


def delegated(request: ApprovalRequest, approver: str, delegate: str, /, **changes: object) -> SignedVote:
    return voted(request, approver, answer=Answer.DELEGATE, delegate=delegate, **changes)


def broke(request: ApprovalRequest, approver: str = MAX, /, **changes: object) -> SignedVote:
    return voted(request, approver, answer=Answer.BREAK_GLASS, **({"text": WHY} | changes))


def standing(status: RequestStatus = RequestStatus.PENDING, **changes: object) -> StandingRequest:
    return StandingRequest(opened(**changes), status)  # type: ignore[arg-type]
