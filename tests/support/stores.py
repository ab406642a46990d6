"""What a store is handed, with as little of it as possible to say."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from guarded_agents.records import (
    UNEXPOSED,
    Answer,
    ApprovalRequest,
    BreakGlassTerms,
    CallKey,
    ClaimStatus,
    Electorate,
    Outcome,
    Principal,
    Proposal,
    QueueLimits,
    Reason,
    Resolution,
    Review,
    ReviewFinding,
    Risk,
    SignedResolution,
    SignedReview,
    SignedVote,
    Verdict,
    Vote,
)
from guarded_agents.stores import AuditNote, Proven, SqliteStore

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DESK = Principal(id="desk-agent", scopes=("refunds:write",), acting_for="bob")
BOTH = frozenset({"ana", "raj"})
HOLDERS = frozenset({"zoe"})
GLASS = BreakGlassTerms(
    holders=HOLDERS | {"max"},
    tools=frozenset({"payments/refund"}),
    per_person=2,
    period_s=86_400,
    execute_within_s=300,
    review_within_s=7_200,
    reviewers="auditors",
)
ROOM = QueueLimits()
NOTE = AuditNote("decision", {"said": "by the caller"})
INTENT = AuditNote("intent", {"said": "before it is sent"})
REFUSAL = AuditNote("refusal", {"said": "why not"})
SENT = Outcome(ClaimStatus.EXECUTED, "refunded", is_error=False, artifact={"amount": 0.5})
ERROR = Outcome(ClaimStatus.FAILED, "no such order", is_error=True)
SILENCE = Outcome(ClaimStatus.IN_DOUBT, "no answer", is_error=True)
CLOSED = Outcome(ClaimStatus.CLOSED, "not carried out", is_error=True, reason=Reason.REJECTED)


def key(digest: str = "a", *, thread: str = "thread", entry: str = "entry", turn: int = 1) -> CallKey:
    return CallKey(thread, entry, turn, digest, 0)


def alone(digest: str, *, thread: str = "thread") -> CallKey:
    """Return the key of a call in a turn of its own."""
    return key(digest, thread=thread, turn=int.from_bytes(digest.encode()) % 1_000_003)


def proposal(of: CallKey | None = None, *, consequential: bool = True, tool: str = "payments/refund") -> Proposal:
    of = of or key()
    return Proposal(of, tool, f"call-{of.digest}", b'{"order":"' + of.digest.encode() + b'"}', consequential, UNEXPOSED)


def request(of: CallKey | None = None, **changes: object) -> ApprovalRequest:
    of = of or key()
    values: dict[str, object] = {
        "id": f"r-{of.digest}",
        "thread": of.thread,
        "entry": of.entry,
        "turn": of.turn,
        "call_digest": of.digest,
        "occurrence": of.occurrence,
        "call_id": f"call-{of.digest}",
        "server": "payments",
        "tool": "refund",
        "definition": "d" * 64,
        "arguments": f'{{"order":"{of.digest}"}}',
        "requester": DESK,
        "tenant": "acme",
        "labels": UNEXPOSED,
        "policy": "p" * 64,
        "rule": "payments/refund",
        "approval_rule": "refund-over-50",
        "group": "finance",
        "members": ("ana", "raj"),
        "quorum": 1,
        "editor_may_approve": False,
        "execute_within_s": 900,
        "backup": None,
        "escalate_at": None,
        "risk": Risk.MEDIUM,
        "hard": False,
        "question": f"question-{of.digest}",
        "created_at": TEN,
        "decide_by": TEN + HOUR,
        "digest": f"digest-{of.digest}",
    }
    return ApprovalRequest.model_validate(values | changes)


def vote(
    on: ApprovalRequest,
    approver: str = "ana",
    answer: Answer = Answer.APPROVE,
    *,
    digest: str | None = None,
    nonce: str | None = None,
    second: str | None = None,
    at: datetime = TEN,
    **more: str,
) -> SignedVote:
    digest = digest or on.digest
    cast = Vote(
        request=on.id,
        digest=digest,
        approver=approver,
        answer=answer,
        at=at,
        nonce=nonce or nonce_of(on.id, digest, answer, *more.values()),
        **more,
    )
    return SignedVote(vote=cast, signature=f"{approver}'s", second=second)


def broken(on: ApprovalRequest, approver: str = "zoe", *, at: datetime = TEN, **more: str) -> SignedVote:
    """Return a vote that breaks the glass."""
    text = more.pop("text", "nobody else can be reached and the shop is down")
    return vote(on, approver, Answer.BREAK_GLASS, text=text, second=f"{approver}'s other", at=at, **more)


def review(on: str = "r-a", reviewer: str = "ida", finding: ReviewFinding = ReviewFinding.REVIEWED) -> SignedReview:
    said = Review(
        request=on,
        digest="digest-a",
        reviewer=reviewer,
        finding=finding,
        text="it was needed",
        at=TEN,
        nonce=nonce_of(on, reviewer, finding),
    )
    return SignedReview(review=said, signature=f"{reviewer}'s")


def resolution(
    verdict: Verdict = Verdict.HAPPENED,
    *,
    attempt: int = 1,
    looked_at: datetime = TEN + HOUR,
    resolver: str = "ana",
    call: str = "call-a",
) -> SignedResolution:
    said = Resolution(
        call=call,
        attempt=attempt,
        verdict=verdict,
        resolver=resolver,
        looked_at=looked_at,
        text="the bank's list of the day",
        at=TEN + HOUR,
        nonce=nonce_of(call, verdict, str(attempt), looked_at.isoformat()),
    )
    return SignedResolution(resolution=said, signature=f"{resolver}'s")


def nonce_of(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


def proven(
    store: SqliteStore, request_id: str, electorate: Electorate, *, glass: BreakGlassTerms | None = GLASS
) -> Proven:
    """Return what the facade hands over of a request, as if every vote in the store were proven."""
    standing = store.request(request_id)
    of = request(key(request_id.removeprefix("r-"))) if standing is None else standing.request
    votes = (*store.votes(of.id), *(() if of.parent is None else store.votes(of.parent)))
    return Proven(of, votes, votes, electorate, glass)
