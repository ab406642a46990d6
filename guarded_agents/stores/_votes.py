"""The transaction of a vote. That its signature holds and who is eligible was decided by the facade."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from guarded_agents.approval import agreed_at, check_delegation, closed, execute_by, is_barred
from guarded_agents.errors import (
    ApprovalError,
    ApprovalExpiredError,
    NotEligibleError,
    RequestClosedError,
    StoreError,
)
from guarded_agents.records import (
    Answer,
    NoticeKind,
    Proposal,
    Reason,
    RequestStatus,
    StandingRequest,
)
from guarded_agents.stores._ballot import Ballot, votes_on
from guarded_agents.stores._closing import close_row
from guarded_agents.stores._glass import break_glass, check_may_break
from guarded_agents.stores._nonces import spend_nonce
from guarded_agents.stores._outbox import put_asked, put_notice
from guarded_agents.stores._requests import known, put_request, store_move, timed_out
from guarded_agents.stores._rows import (
    claim_of,
    put_proposal,
    put_vote,
    request_of_id,
    request_of_key,
    tool_of,
)
from guarded_agents.stores._traces import put_trace
from guarded_agents.stores._tx import Tx

_SETTLES: Final = {Answer.REJECT: RequestStatus.REJECTED, Answer.RESPOND: RequestStatus.ANSWERED}


def vote(tx: Tx, ballot: Ballot) -> StandingRequest | ApprovalError:
    """Record a verified vote and move the request (section 8; TX vote, reject, edit).

    Raises what `Store.vote` says, but for ApprovalExpiredError: that is returned, for the request closes with it.
    """
    cast, now = ballot.signed.vote, ballot.now
    standing = known(tx, cast.request)
    if (again := _voted_before(tx, ballot, standing)) is not None:
        return again
    spend_nonce(tx, cast.approver, cast)
    if standing.status is not RequestStatus.PENDING:
        raise closed(standing, standing.status)
    if now >= standing.request.decide_by:
        timed_out(tx, standing, RequestStatus.EXPIRED, now)
        return ApprovalExpiredError(standing.request.id, decide_by=standing.request.decide_by, answered_at=now)
    _check_may(tx, standing, ballot)
    put_vote(tx.db, ballot.signed, ballot.credentials)
    put_trace(tx, cast.request, ballot.trace, voter=cast.approver)
    tx.append([ballot.note], now)
    return _MOVES[cast.answer](tx, standing, ballot)


def _check_may(tx: Tx, standing: StandingRequest, ballot: Ballot) -> None:
    """Raise unless the voter may give this answer at this instant."""
    cast, request = ballot.signed.vote, standing.request
    if cast.answer is Answer.BREAK_GLASS:
        check_may_break(tx, standing, ballot)
        return
    if cast.approver not in ballot.electorate.voters or is_barred(cast.approver, request.requester):
        raise _not_eligible(standing, "another one or the requester")
    if cast.answer is Answer.DELEGATE:
        check_delegation(request, cast, votes_on(tx, request), electorate=ballot.electorate)


def _voted_before(tx: Tx, ballot: Ballot, standing: StandingRequest) -> StandingRequest | None:
    """Return what stands if the same vote is recorded. Raises NotEligibleError for another of the same approver."""
    cast = ballot.signed.vote
    row = tx.db.execute(
        "SELECT answer, digest, document ->> '$.vote.delegate' FROM votes WHERE request = ? AND approver = ?",
        (cast.request, cast.approver),
    ).fetchone()
    if row is None:
        return None
    if row != (cast.answer.value, cast.digest, cast.delegate):
        raise _not_eligible(standing, "one who has voted otherwise")
    return standing if standing.successor is None else request_of_id(tx.db, standing.successor)


def _approved_if_met(tx: Tx, standing: StandingRequest, ballot: Ballot) -> StandingRequest:
    request, now = standing.request, ballot.now
    signed_at = agreed_at(request, votes_on(tx, request), electorate=ballot.electorate)
    if signed_at is None:
        return standing
    return store_move(
        tx,
        replace(
            standing,
            status=RequestStatus.APPROVED,
            execute_by=execute_by(request, signed_at, within_s=request.execute_within_s, now=now),
            settled_at=now,
            settled_by=ballot.signed.vote.approver,
        ),
        now,
    )


def _settled(tx: Tx, standing: StandingRequest, ballot: Ballot) -> StandingRequest:
    cast = ballot.signed.vote
    return store_move(
        tx,
        replace(
            standing, status=_SETTLES[cast.answer], settled_at=ballot.now, settled_by=cast.approver, text=cast.text
        ),
        ballot.now,
    )


def _delegated(tx: Tx, standing: StandingRequest, ballot: Ballot) -> StandingRequest:
    """Tell the delegate. The vote that says so is the voter's one vote, so that both count as one person."""
    put_notice(tx, NoticeKind.DELEGATED, standing.request, ballot.signed.vote.delegate or "", now=ballot.now)
    return standing


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
        raise RequestClosedError(
            f"approval {standing.request.id}",
            expected="an edit into a call that its turn does not have yet",
            got="one into a call that stands already",
            action="edit it otherwise, or reject it",
        )
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
        now,
    )
    call = (f"{new.server}/{new.tool}", old.call_id, new.arguments.encode())
    put_proposal(tx.db, Proposal(new.key, *call, consequential=True, labels=new.labels))
    put_request(tx, new, again_after=timedelta())  # it is told at once, or needs no answer
    put_trace(tx, new.id, ballot.trace)
    edited = _approved_if_met(tx, StandingRequest(new, RequestStatus.PENDING), ballot)
    if edited.status is RequestStatus.PENDING:
        put_asked(tx, new, now=now, due=now)
    return edited


_MOVES: Final[Mapping[Answer, Callable[[Tx, StandingRequest, Ballot], StandingRequest]]] = {
    Answer.APPROVE: _approved_if_met,
    Answer.EDIT: _edited,
    Answer.REJECT: _settled,
    Answer.RESPOND: _settled,
    Answer.DELEGATE: _delegated,
    Answer.BREAK_GLASS: break_glass,
}


def _not_eligible(standing: StandingRequest, got: str) -> NotEligibleError:
    return NotEligibleError(
        f"approval {standing.request.id}",
        expected="an approver of its group who has not voted",
        got=got,
        action="leave it to another approver",
    )
