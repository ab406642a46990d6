"""What a thread did: its calls, the effects they had, and whether the log of them verifies."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from guarded_agents.approval import doubt_id, votes_counted
from guarded_agents.audit import Kind, Verification, verify_log
from guarded_agents.catalog import visible
from guarded_agents.cli._opened import opened
from guarded_agents.moments import utc
from guarded_agents.records import (
    ApprovalRequest,
    BrokenGlass,
    CallKey,
    Claim,
    ClaimStatus,
    Electorate,
    Reason,
    RequestStatus,
    SignedVote,
    StandingRequest,
)

if TYPE_CHECKING:
    from guarded_agents.stores import Store

MAX_LINES: Final = 100  # of calls in doubt, and of reviews; where there are more, that is said
AGREED: Final = (RequestStatus.APPROVED, RequestStatus.CONSUMED)
_ENDED: Final = {Reason.WITHDRAWN: "withdrawn", Reason.SUPERSEDED: "superseded"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a thread. *approval* is the status of its request, None where none was needed."""

    tool: str
    decision: str  # permit or deny
    rule: str
    approval: str | None
    outcome: str  # waiting, executed, failed, refused, withdrawn, superseded, in_doubt, ...
    arguments: str  # canonical JSON; empty where it was erased
    approval_rule: str | None
    approvers: tuple[str, ...]  # whose votes agreed, or who settled it otherwise
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The calls of one thread in the order they were decided, its effects, and the whole log's verification."""

    calls: tuple[Call, ...]
    effects: object
    audit: Verification
    waiting: tuple[str, ...]  # the ids of the requests that still wait, the most urgent one first
    doubts: tuple[str, ...]  # of the whole store

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        shown = ("tool", "decision", "rule", "approval", "outcome")
        return {
            "calls": [{name: value for name, value in asdict(call).items() if name in shown} for call in self.calls],
            "effects": self.effects,
            "audit": {"entries": self.audit.entries, "verified": self.audit.verified},
        }


def report(store: Path, thread: str, *, effects: object, now: datetime) -> Report:
    """Read the report of *thread* at *now* (UTC) from the file *store*. Raises ConfigurationError and StoreError."""
    with opened(store) as found:
        audit = verify_log(found)
        return Report(tuple(_calls(found, thread)), effects, audit, waiting(found, thread), doubts(found, now=now))


def waiting(store: "Store", thread: str) -> tuple[str, ...]:
    """Return the ids of the requests of *thread* that are pending, the most urgent one first."""
    from guarded_agents.stores import every_request

    return tuple(request.id for request in every_request(store) if request.thread == thread)


def doubts(store: "Store", *, now: datetime) -> tuple[str, ...]:
    """Return a line for each call of which nobody knows at *now* (UTC) whether it happened, and one for the rest."""
    found = doubtful(store, now=now, limit=MAX_LINES + 1)
    return (*(_doubt(claim, tool) for claim, tool in found[:MAX_LINES]), *_rest(found))


def doubtful(store: "Store", *, now: datetime, limit: int) -> tuple[tuple[Claim, str | None], ...]:
    """Return each call of which nobody knows at *now* (UTC) whether it happened, with its tool where that is known."""
    return with_tools(store, store.doubts(now=now, limit=limit))


def with_tools(store: "Store", claims: Iterable[Claim]) -> tuple[tuple[Claim, str | None], ...]:
    """Return *claims*, each with its tool where that is known."""
    found = ((claim, store.proposal(claim.key)) for claim in claims)
    return tuple((claim, None if proposal is None else proposal.tool) for claim, proposal in found)


def claim_as_json(claim: Claim, tool: str | None) -> dict[str, object]:
    """Return a call in doubt, or one that is being sent, as JSON."""
    return {
        "call": doubt_id(claim.key),
        "tool": tool,
        "thread": claim.key.thread,
        "turn": claim.key.turn,
        "attempt": claim.attempt,
        "lease_until": utc(claim.lease_until),
    }


def review_as_json(glass: BrokenGlass, *, now: datetime) -> dict[str, object]:
    """Return a request whose glass was broken, and that nobody has reviewed at *now* (UTC), as JSON."""
    return {
        "request": glass.request,
        "approver": glass.approver,
        "review_due": utc(glass.review_due),
        "overdue": glass.is_overdue(now=now),
    }


def _rest(found: Sequence[object]) -> tuple[str, ...]:
    said = f"there are more than these {MAX_LINES}: `guarded-agents doctor` lists them"
    return (said,) if len(found) > MAX_LINES else ()


def _doubt(claim: Claim, tool: str | None) -> str:
    key, call = claim.key, doubt_id(claim.key)
    what = f"{call} {visible(tool or 'a call')} (thread {visible(key.thread)}, turn {key.turn})"
    return f"{what}: nobody knows whether it happened; `approvals show {call}`, look at its server, `approvals resolve`"


def reviews(store: "Store", *, now: datetime) -> tuple[str, ...]:
    """Return a line for each request that was approved by breaking the glass, and that nobody has reviewed yet."""
    found = store.broken_glass(limit=MAX_LINES + 1)
    lines = tuple(
        f"{visible(glass.request)} approved alone by {visible(glass.approver)}: review"
        f" {'OVERDUE since' if glass.is_overdue(now=now) else 'due by'} {utc(glass.review_due)}, `approvals review`"
        for glass in found[:MAX_LINES]
    )
    return (*lines, *_rest(found))


def _calls(store: "Store", thread: str) -> Iterator[Call]:
    decided: dict[CallKey, Mapping[str, object]] = {}
    ended: dict[CallKey, str] = {}
    spelt = orjson.dumps(thread)
    for _, stored, _ in store.audit_rows():
        if spelt not in stored:  # parsing every entry of a long log would take seconds
            continue
        entry = orjson.loads(stored)
        fields = entry["fields"]
        if fields.get("thread") != thread or "call" not in fields:
            continue
        key = CallKey(thread, fields["entry"], fields["turn"], fields["call"], fields["occurrence"])
        if entry["kind"] in (Kind.DECISION, Kind.APPROVAL):
            decided[key] = decided.get(key, {}) | fields
        elif entry["kind"] == Kind.OUTCOME:
            ended[key] = fields["status"]
    for key, fields in decided.items():
        yield _call(store, key, fields, ended.get(key))


def _call(store: "Store", key: CallKey, fields: Mapping[str, object], ended: str | None) -> Call:
    proposal, standing, claim = store.proposal(key), store.request_of(key), store.claim(key)
    outcome, reason = _outcome(fields, standing, claim, ended)
    return Call(
        tool=str(fields["tool"]),
        decision=str(fields["effect"]),
        rule=str(fields["rule"]),
        approval=None if standing is None else _approval(standing),
        outcome=outcome,
        arguments="" if proposal is None else proposal.canonical.decode(errors="replace"),
        approval_rule=None if standing is None else standing.request.approval_rule,
        approvers=() if standing is None else approvers(standing, _votes(store, standing.request)),
        reason=reason,
    )


def _votes(store: "Store", request: ApprovalRequest) -> tuple[SignedVote, ...]:
    """Return the votes that may count for the request: those on it, and on the one that it is an edit of."""
    return (*store.votes(request.id), *(() if request.parent is None else store.votes(request.parent)))


def approvers(standing: StandingRequest, votes: Sequence[SignedVote]) -> tuple[str, ...]:
    """Return who approved the request by *votes*, those on it and on what it is an edit of, else who settled it."""
    request, who = standing.request, () if standing.settled_by is None else (standing.settled_by,)
    if standing.status not in AGREED or standing.broke_glass:
        return who
    everybody = Electorate(frozenset(signed.vote.approver for signed in votes))
    return tuple(sorted(votes_counted(request, votes, electorate=everybody))) or who


def _approval(standing: StandingRequest) -> str:
    return "approved" if standing.status in AGREED else standing.status.value


def _outcome(
    fields: Mapping[str, object], standing: StandingRequest | None, claim: Claim | None, ended: str | None
) -> tuple[str, str]:
    """Return how a call ended, and the reason where it was not carried out."""
    if claim is not None and claim.status is not ClaimStatus.CLOSED:
        return claim.status.value, ""
    if claim is not None:
        return _ENDED.get(claim.reason, "refused"), claim.reason.value
    if standing is not None and standing.status.is_open:
        return "waiting", ""
    if fields["effect"] == "deny":
        return "refused", str(fields["reason"])
    return ended or "unknown", ""


__all__ = [
    "AGREED",
    "Call",
    "Report",
    "approvers",
    "claim_as_json",
    "doubtful",
    "doubts",
    "report",
    "review_as_json",
    "reviews",
    "waiting",
    "with_tools",
]
