"""The audit entries of a call. Digests are keyed; arguments never stand in an entry (DESIGN I10)."""

from collections.abc import Sequence
from hashlib import sha256

from pydantic import JsonValue

from guarded_agents.approval import SignedStatement, Statement
from guarded_agents.audit import Kind, place_of
from guarded_agents.binding import clipped
from guarded_agents.records import (
    ApprovalRequest,
    BoundCall,
    CallKey,
    Decision,
    Outcome,
    RequestStatus,
    SignedPlanExtension,
    SignedResolution,
    SignedReview,
    SignedVote,
    ThreadFacts,
)
from guarded_agents.screen import Finding, Required, Stage
from guarded_agents.stores import AuditNote


def _decision(call: BoundCall, facts: ThreadFacts, decision: Decision) -> dict[str, JsonValue]:
    return place_of(call.key) | {
        "call_id": clipped(call.call_id),
        "tool": clipped(call.tool),
        "principal": facts.requester.id,
        "acting_for": facts.requester.acting_for,
        "tenant": facts.tenant,
        "effect": decision.effect.value,
        "rule": decision.rule,
        "reason": decision.reason.value,
        "detail": decision.detail,
        "policy": decision.policy,
        "integrity": facts.labels.integrity.value,
        "confidentiality": facts.labels.confidentiality.value,
        "approval": None if decision.approval is None else decision.approval.rule,
        "misses": [miss.model_dump(mode="json") for miss in decision.misses],
    }


def decided(call: BoundCall, facts: ThreadFacts, decision: Decision, *, definition: str) -> AuditNote:
    """Return the entry of a decision: who asked for what, and which rule answered."""
    return AuditNote(Kind.DECISION, _decision(call, facts, decision) | {"definition": definition})


def intended(call: BoundCall, *, request: str | None, idempotency_key: str) -> AuditNote:
    """Return the entry of an intent: the last thing on disk before a call with an effect is sent."""
    return AuditNote(
        Kind.INTENT,
        place_of(call.key) | {"tool": call.tool, "request": request, "idempotency_key": idempotency_key},
    )


def ended(call: BoundCall, outcome: Outcome) -> AuditNote:
    """Return the entry of an outcome."""
    return AuditNote(
        Kind.OUTCOME,
        place_of(call.key) | {"tool": call.tool, "status": outcome.status.value, "reason": outcome.reason.value},
    )


def held(call: BoundCall, facts: ThreadFacts, decision: Decision, request: ApprovalRequest) -> AuditNote:
    """Return the entry of a decision that a person has to agree with, and of the request that was opened for it."""
    return AuditNote(
        Kind.APPROVAL,
        _decision(call, facts, decision)
        | {
            "definition": request.definition,
            "request": request.id,
            "digest": request.digest,
            "group": request.group,
            "quorum": request.quorum,
            "decide_by": request.decide_by.isoformat(),
            "status": RequestStatus.PENDING.value,
        },
    )


def voted(signed: SignedVote, credentials: Sequence[str], *, group: str, successor: str | None) -> AuditNote:
    """Return the entry of a verified vote; of what proves it the SHA-256, for an ID token is a credential (I10)."""
    vote = signed.vote
    return AuditNote(
        Kind.VOTE,
        {
            "request": vote.request,
            "digest": vote.digest,
            "approver": vote.approver,
            "group": group,
            "answer": vote.answer.value,
            "delegate": vote.delegate,
            "successor": successor,
            **_proven(signed, vote, credentials),
        },
    )


def reviewed(signed: SignedReview, credentials: Sequence[str]) -> AuditNote:
    """Return the entry of a verified review of a broken glass."""
    review = signed.review
    return AuditNote(
        Kind.REVIEW,
        {
            "request": review.request,
            "digest": review.digest,
            "reviewer": review.reviewer,
            "finding": review.finding.value,
            **_proven(signed, review, credentials),
        },
    )


def resolved(signed: SignedResolution, credentials: Sequence[str], *, key: CallKey, group: str) -> AuditNote:
    """Return the entry of a call in doubt that a verified resolution settles."""
    resolution = signed.resolution
    return AuditNote(
        Kind.RESOLUTION,
        place_of(key)
        | {
            "doubt": resolution.call,
            "attempt": resolution.attempt,
            "verdict": resolution.verdict.value,
            "resolver": resolution.resolver,
            "group": group,
            "looked_at": resolution.looked_at.isoformat(),
        }
        | _proven(signed, resolution, credentials),
    )


def extended(signed: SignedPlanExtension, credentials: Sequence[str], *, entry: str, group: str) -> AuditNote:
    """Return the entry of a plan that a verified statement extends."""
    extension = signed.extension
    return AuditNote(
        Kind.PLAN_EXTENDED,
        {
            "thread": extension.thread,
            "entry": entry,
            "tool": extension.tool,
            "approver": extension.approver,
            "group": group,
            **_proven(signed, extension, credentials),
        },
    )


def pinned(facts: ThreadFacts, tools: Sequence[str]) -> AuditNote:
    """Return the entry of a plan that the model proposed."""
    return AuditNote(Kind.PLAN_PINNED, {"thread": facts.thread, "entry": facts.entry, "tools": list(tools)})


def _proven(signed: SignedStatement, of: Statement, credentials: Sequence[str]) -> dict[str, JsonValue]:
    return {
        "nonce": of.nonce,
        "signed_at": of.at.isoformat(),
        "scheme": signed.scheme.value,
        "credentials": list(credentials),
        "proof": sha256(signed.signature.encode()).hexdigest(),
        "second": None if signed.second is None else sha256(signed.second.encode()).hexdigest(),
    }


def label_raised(facts: ThreadFacts) -> AuditNote:
    """Return the entry of a thread whose labels grew stricter."""
    return AuditNote(
        Kind.LABEL_RAISED,
        {
            "thread": facts.thread,
            "entry": facts.entry,
            "integrity": facts.labels.integrity.value,
            "confidentiality": facts.labels.confidentiality.value,
        },
    )


def screened(thread: str, name: str, findings: Sequence[Finding], *, required: Required, stage: Stage) -> AuditNote:
    """Return the entry of what was found in one text: ids, kinds and counts, and nothing of the text."""
    return AuditNote(
        Kind.FINDING,
        {
            "thread": thread,
            "message": clipped(name),
            "stage": stage.value,
            "required": required.value,
            "findings": [[one.id, one.kind.value, one.count] for one in findings],
        },
    )
