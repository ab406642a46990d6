"""The transaction of a vote. That its signature holds and who is eligible was decided by the facade."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from guarded_agents.approval import is_barred, quorum_met
from guarded_agents.errors import (
    ApprovalError,
    ApprovalExpiredError,
    NotEligibleError,
    RequestClosedError,
    StoreError,
)
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    Proposal,
    Reason,
    RequestStatus,
    SignedVote,
    StandingRequest,
)
from guarded_agents.stores._closing import close_row
from guarded_agents.stores._protocol import AuditNote
from guarded_agents.stores._reads import votes
from guarded_agents.stores._requests import known, store_move, timed_out
from guarded_agents.stores._rows import (
    claim_of,
    put_proposal,
    put_request,
    put_vote,
    request_of_id,
    request_of_key,
    tool_of,
)
from guarded_agents.stores._tx import Tx

_SETTLES = {Answer.REJECT: RequestStatus.REJECTED, Answer.RESPOND: RequestStatus.ANSWERED}


@dataclass(frozen=True, slots=True)
class Ballot:
    """One verified vote, and what the facade knew when it came in."""

    signed: SignedVote
    eligible: frozenset[str]
    edited: ApprovalRequest | None
    note: AuditNote
    now: datetime  # UTC


def quorum_stands(tx: Tx, request: ApprovalRequest, eligible: frozenset[str]) -> bool:
    """Return whether enough of *eligible* have signed *request*, the edit that led to it included."""
    cast = votes(tx.db, request.id) + (() if request.parent is None else votes(tx.db, request.parent))
    return quorum_met(request, cast, eligible=eligible)


def vote(tx: Tx, ballot: Ballot) -> StandingRequest | ApprovalError:
    """Record a verified vote and move the request (section 8; TX vote, reject, edit).

    Raises what `Store.vote` says, but for ApprovalExpiredError: that is returned, for the request closes with it.
    """
    cast, now = ballot.signed.vote, ballot.now
    standing = known(tx, cast.request)
    if (again := _voted_before(tx, ballot, standing)) is not None:
        return again
    if standing.status is not RequestStatus.PENDING:
        raise _closed(standing, f"one that is {standing.status.value}")
    if now >= standing.request.decide_by:
        timed_out(tx, standing, RequestStatus.EXPIRED, now)
        return ApprovalExpiredError(standing.request.id, decide_by=standing.request.decide_by, answered_at=now)
    if cast.approver not in ballot.eligible or is_barred(cast.approver, standing.request.requester):
        raise _not_eligible(standing, "another one or the requester")
    put_vote(tx.db, ballot.signed)
    tx.append([ballot.note], now)
    if cast.answer is Answer.EDIT:
        return _edited(tx, standing, ballot)
    if cast.answer is Answer.APPROVE:
        return _approved_if_met(tx, standing, ballot)
    return store_move(
        tx,
        replace(standing, status=_SETTLES[cast.answer], settled_at=now, settled_by=cast.approver, text=cast.text),
    )


def _voted_before(tx: Tx, ballot: Ballot, standing: StandingRequest) -> StandingRequest | None:
    """Return what stands if the same vote is recorded. Raises NotEligibleError for another of the same approver."""
    cast = ballot.signed.vote
    row = tx.db.execute(
        "SELECT answer, digest FROM votes WHERE request = ? AND approver = ?", (cast.request, cast.approver)
    ).fetchone()
    if row is None:
        return None
    if row != (cast.answer.value, cast.digest):
        raise _not_eligible(standing, "one who has voted otherwise")
    return standing if standing.successor is None else request_of_id(tx.db, standing.successor)


def _approved_if_met(tx: Tx, standing: StandingRequest, ballot: Ballot) -> StandingRequest:
    request, now = standing.request, ballot.now
    if not quorum_stands(tx, request, ballot.eligible):
        return standing
    return store_move(
        tx,
        replace(
            standing,
            status=RequestStatus.APPROVED,
            execute_by=now + timedelta(seconds=request.execute_within_s),
            settled_at=now,
            settled_by=ballot.signed.vote.approver,
        ),
    )


def _edited(tx: Tx, standing: StandingRequest, ballot: Ballot) -> StandingRequest:
    """Supersede the request, close its row, and open the edited one, which inherits no votes (8b.6; TX edit)."""
    old, new, now = standing.request, ballot.edited, ballot.now
    if new is None or new.parent != old.id or new.key[:3] != old.key[:3]:
        raise StoreError(
            f"approval {old.id}",
            expected="the edited request of the same turn with an edit",
            got="none or another",
            action="correct the facade",
        )
    if tool_of(tx.db, new.key) is not None or claim_of(tx.db, new.key) or request_of_key(tx.db, new.key):
        raise _closed(standing, "an edit into a call that stands already")
    if claim_of(tx.db, old.key) is None:
        close_row(tx, old.key, Reason.SUPERSEDED, tool=f"{old.server}/{old.tool}", now=now)
    store_move(
        tx,
        replace(
            standing,
            status=RequestStatus.SUPERSEDED,
            settled_at=now,
            settled_by=ballot.signed.vote.approver,
            successor=new.id,
        ),
    )
    call = (f"{new.server}/{new.tool}", old.call_id, new.arguments.encode())
    put_proposal(tx.db, Proposal(new.key, *call, consequential=True, labels=new.labels))
    put_request(tx.db, new)
    return _approved_if_met(tx, StandingRequest(new, RequestStatus.PENDING), ballot)


def _closed(standing: StandingRequest, got: str) -> RequestClosedError:
    return RequestClosedError(
        f"approval {standing.request.id}",
        expected="a pending request",
        got=got,
        action="list what is still pending",
    )


def _not_eligible(standing: StandingRequest, got: str) -> NotEligibleError:
    return NotEligibleError(
        f"approval {standing.request.id}",
        expected="an approver of its group who has not voted",
        got=got,
        action="leave it to another approver",
    )
