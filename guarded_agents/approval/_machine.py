"""Where a request stands, as a pure state machine (DESIGN section 8).

PENDING goes to APPROVED by a quorum of votes, to REJECTED, ANSWERED or SUPERSEDED by one vote, and
to EXPIRED by time; APPROVED goes to LAPSED by time. Time never approves, and a quorum below one is
never met. What the claim does to a request (CONSUMED, VOIDED, WITHDRAWN) is the store's.
"""

import unicodedata
from collections.abc import Iterable
from datetime import datetime

from guarded_agents.errors import ApprovalExpiredError, NotEligibleError, RequestClosedError
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    Principal,
    RequestStatus,
    SignedVote,
    StandingRequest,
)


def is_barred(approver: str, requester: Principal) -> bool:
    """Return whether *approver* is who asks, or whom that one acts for (separation of duties).

    Spellings that differ in case or in compatibility forms (Unicode NFKC) are the same person here:
    that can only bar more.
    """
    return _person(approver) in {_person(requester.id), _person(requester.acting_for or requester.id)}


def _person(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def votes_counted(
    request: ApprovalRequest,
    votes: Iterable[SignedVote],
    *,
    eligible: frozenset[str],
) -> frozenset[str]:
    """Return the distinct people whose votes count towards the quorum of *request*.

    They are in *eligible* and not barred, and signed the digest of this request with APPROVE, or
    with the EDIT that led to it. Who made that edit counts only where ``editor_may_approve``.
    """
    votes = tuple(votes)
    editors = {signed.vote.approver for signed in votes if _led_to(request, signed)}
    return frozenset(
        signed.vote.approver
        for signed in votes
        if signed.vote.digest == request.digest
        and signed.vote.approver in eligible
        and not is_barred(signed.vote.approver, request.requester)
        and (request.editor_may_approve or signed.vote.approver not in editors)
        and (_led_to(request, signed) or (signed.vote.answer is Answer.APPROVE and signed.vote.request == request.id))
    )


def _led_to(request: ApprovalRequest, signed: SignedVote) -> bool:
    return signed.vote.answer is Answer.EDIT and signed.vote.request == request.parent


def quorum_met(request: ApprovalRequest, votes: Iterable[SignedVote], *, eligible: frozenset[str]) -> bool:
    """Return whether enough votes count. A quorum below one is never met."""
    return 1 <= request.quorum <= len(votes_counted(request, votes, eligible=eligible))


def status_at(standing: StandingRequest, *, now: datetime) -> RequestStatus:
    """Return the status at *now* (UTC), with what time alone has done to it: EXPIRED or LAPSED."""
    if standing.status is RequestStatus.PENDING and now >= standing.request.decide_by:
        return RequestStatus.EXPIRED
    if standing.status is RequestStatus.APPROVED and (standing.execute_by is None or now >= standing.execute_by):
        return RequestStatus.LAPSED
    return standing.status


def check_open(standing: StandingRequest, *, now: datetime) -> None:
    """Raise RequestClosedError or ApprovalExpiredError unless the request can be answered at *now*."""
    request = standing.request
    status = status_at(standing, now=now)
    if status is RequestStatus.EXPIRED and now >= request.decide_by:
        raise ApprovalExpiredError(request.id, decide_by=request.decide_by, answered_at=now)
    if status is not RequestStatus.PENDING:
        raise RequestClosedError(
            f"approval {request.id}", expected="one that is pending", got=status.value, action="look at what it led to"
        )


def check_eligible(request: ApprovalRequest, approver: str, *, eligible: frozenset[str]) -> None:
    """Raise NotEligibleError for a requester, and for anybody who is not in *eligible*."""
    if is_barred(approver, request.requester):
        raise NotEligibleError(
            f"approval {request.id}",
            expected="somebody other than who asks",
            got="the requester",
            action=f"ask another member of {request.group}",
        )
    if approver not in eligible:
        raise NotEligibleError(
            f"approval {request.id}",
            expected=f"a member of {request.group}",
            got="somebody else",
            action="ask a member",
        )
