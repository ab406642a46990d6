"""One entry of each kind and case, with the fields that the guard writes into it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import JsonValue

from guarded_agents.audit import GENESIS, Kind, seal

AT: Final = datetime(2026, 1, 5, 10, 1, 0, 250_750, tzinfo=UTC)
LOG: Final = "desk"
SPAN: Final = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}

_CALL: Final[dict[str, JsonValue]] = {
    "thread": "t-17",
    "entry": "m-3",
    "turn": 0,
    "call": "c4" * 32,
    "occurrence": 0,
}
_DECISION: Final[dict[str, JsonValue]] = {
    **_CALL,
    "call_id": "call_1",
    "tool": "payments/refund",
    "principal": "desk-agent",
    "acting_for": "ana@example.com",
    "tenant": "acme",
    "effect": "permit",
    "rule": "refunds",
    "reason": "permitted",
    "detail": "",
    "policy": "9a" * 32,
    "integrity": "untrusted",
    "confidentiality": "internal",
    "approval": None,
    "misses": [],
    "definition": "de" * 32,
    **SPAN,
}
_PROOF: Final[dict[str, JsonValue]] = {
    "nonce": "0f" * 16,
    "signed_at": "2026-01-05T10:00:59+00:00",
    "scheme": "ed25519",
    "credentials": ["ana-laptop"],
    "proof": "ab" * 32,
    "second": None,
}
_HELD: Final[dict[str, JsonValue]] = {
    **_DECISION,
    "approval": "refund-over-50",
    "misses": [{"lack": "amount", "argument": "amount_cents", "at": "", "origin": None}],
    "request": "62ba9a22f812",
    "digest": "d1" * 32,
    "group": "finance",
    "quorum": 1,
    "decide_by": "2026-01-05T14:01:00+00:00",
    "status": "pending",
}
_REQUEST: Final[dict[str, JsonValue]] = {**_CALL, "request": "62ba9a22f812"}
_VOTE: Final[dict[str, JsonValue]] = {
    "request": "62ba9a22f812",
    "digest": "d1" * 32,
    "approver": "raj@example.com",
    "group": "finance",
    "answer": "approve",
    "delegate": None,
    "successor": None,
    **_PROOF,
}
_DRIFT: Final[dict[str, JsonValue]] = {"tool": "payments/refund", "reviewed": "aa" * 32, "observed": "bb" * 32}
_REVIEW: Final[dict[str, JsonValue]] = {"request": "62ba9a22f812", "digest": "d1" * 32, "reviewer": "eve@example.com"}
_RESOLUTION: Final[dict[str, JsonValue]] = {
    **_CALL,
    "doubt": "62ba9a22f812",
    "attempt": 1,
    "resolver": "raj@example.com",
    "group": "finance",
    "looked_at": "2026-01-05T10:00:30+00:00",
    **_PROOF,
}
_SCREENED: Final[dict[str, JsonValue]] = {
    "thread": "t-17",
    "message": "mail/read",
    "stage": "tool_result",
    "findings": [["injection:override", "injection", 2], ["hidden", "hiding", 1]],
}

ENTRIES: Final[dict[str, tuple[Kind, dict[str, JsonValue]]]] = {
    "permit": (Kind.DECISION, _DECISION),
    "deny": (Kind.DECISION, {**_DECISION, "effect": "deny", "reason": "no_rule", "detail": "no rule names it"}),
    "refused-at-the-door": (Kind.DECISION, {**_DECISION, "reason": "limit_reached"}),
    "held": (Kind.APPROVAL, _HELD),
    "escalated": (Kind.APPROVAL, {**_REQUEST, "status": "pending", "escalated_to": "finance-leads"}),
    "expired": (Kind.APPROVAL, {**_REQUEST, "status": "expired"}),
    "lapsed": (Kind.APPROVAL, {**_REQUEST, "status": "lapsed"}),
    "closed": (Kind.APPROVAL, {**_REQUEST, "status": "withdrawn"}),
    "overdue": (Kind.APPROVAL, {**_REQUEST, "status": "consumed", "review": "overdue"}),
    "vote": (Kind.VOTE, _VOTE),
    "rejection": (Kind.VOTE, {**_VOTE, "answer": "reject"}),
    "broken-glass": (Kind.VOTE, {**_VOTE, "answer": "break_glass", "second": "cd" * 32}),
    "reviewed": (Kind.REVIEW, {**_REVIEW, "finding": "reviewed", **_PROOF}),
    "violation": (Kind.REVIEW, {**_REVIEW, "finding": "violation", **_PROOF}),
    "intent": (
        Kind.INTENT,
        {**_CALL, "tool": "payments/refund", "request": "62ba9a22f812", "idempotency_key": "1d" * 16, **SPAN},
    ),
    "intent-again": (Kind.INTENT, {**_CALL, "attempt": 2}),
    "executed": (
        Kind.OUTCOME,
        {**_CALL, "tool": "payments/refund", "status": "executed", "reason": "permitted", **SPAN},
    ),
    "failed": (Kind.OUTCOME, {**_CALL, "tool": "payments/refund", "status": "failed", "reason": "permitted"}),
    "in-doubt": (Kind.OUTCOME, {**_CALL, "status": "in_doubt", "attempt": 1, "cause": "lapsed"}),
    "conflict": (Kind.OUTCOME, {**_CALL, "status": "conflict", "attempt": 1}),
    "refusal": (Kind.REFUSAL, {**_CALL, "tool": "payments/refund", "reason": "superseded"}),
    "withdrawal": (Kind.WITHDRAWAL, {**_CALL, "tool": "payments/refund", "reason": "withdrawn"}),
    "happened": (Kind.RESOLUTION, {**_RESOLUTION, "verdict": "happened"}),
    "not-happened": (Kind.RESOLUTION, {**_RESOLUTION, "verdict": "not_happened"}),
    "not-observed": (Kind.RESOLUTION, {**_RESOLUTION, "verdict": "not_observed"}),
    "finding-nothing": (Kind.FINDING, {**_SCREENED, "required": "nothing"}),
    "finding-ask": (Kind.FINDING, {**_SCREENED, "required": "ask"}),
    "finding-quarantine": (Kind.FINDING, {**_SCREENED, "required": "quarantine"}),
    "finding-deny": (Kind.FINDING, {**_SCREENED, "required": "deny"}),
    "label-raised": (
        Kind.LABEL_RAISED,
        {"thread": "t-17", "entry": "m-3", "integrity": "untrusted", "confidentiality": "internal"},
    ),
    "notice": (
        Kind.NOTICE,
        {
            "notice": 7,
            "kind": "asked",
            "request": "62ba9a22f812",
            "to": "finance",
            "attempt": 9,
            "reason": "unreachable",
        },
    ),
    "plan-pinned": (Kind.PLAN_PINNED, {"thread": "t-17", "entry": "m-3", "tools": ["mail/read", "payments/refund"]}),
    "plan-extended": (
        Kind.PLAN_EXTENDED,
        {
            "thread": "t-17",
            "entry": "m-3",
            "tool": "mail/send",
            "approver": "raj@example.com",
            "group": "leads",
            **_PROOF,
        },
    ),
    "log-opened": (Kind.LOG_OPENED, {"key": "desk+8396fb1d+AV4hLAmA5LOfwJchE0qgIQk3", "release": "0.1.0"}),
    "log-closed": (Kind.LOG_CLOSED, {}),
    "key-rotated": (Kind.KEY_ROTATED, {"old": "desk+8396fb1d+AV4h", "new": "desk+9747ec76+AY8c"}),
    "policy-loaded": (Kind.POLICY_LOADED, {"policy": "9a" * 32, "tools": "70" * 32}),
    "tool-changed": (Kind.TOOL_QUARANTINED, {**_DRIFT, "kind": "changed"}),
    "tool-added": (Kind.TOOL_QUARANTINED, {**_DRIFT, "kind": "added", "reviewed": ""}),
    "tool-removed": (Kind.TOOL_QUARANTINED, {**_DRIFT, "kind": "removed", "observed": ""}),
    "tool-unreachable": (Kind.TOOL_QUARANTINED, {**_DRIFT, "kind": "unreachable", "observed": ""}),
    "tool-restored": (Kind.TOOL_RESTORED, {**_DRIFT, "kind": "restored", "observed": "aa" * 32}),
}


def sealed(name: str, *, sequence: int = 12) -> bytes:
    """Return the exact bytes of one of `ENTRIES`."""
    kind, fields = ENTRIES[name]
    return entry_of(kind, fields, sequence=sequence)


def entry_of(kind: str, fields: dict[str, JsonValue], *, sequence: int = 12, log: str = LOG, micros: int = 0) -> bytes:
    """Return the exact bytes of an entry with *fields*."""
    at = AT + timedelta(microseconds=micros)
    return seal(kind, fields, log=log, sequence=sequence, previous=GENESIS, at=at)[0]
