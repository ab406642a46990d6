"""Where a request stands, as a pure state machine (DESIGN section 8).

PENDING goes to APPROVED by a quorum of votes or by one that breaks the glass, to REJECTED, ANSWERED or
SUPERSEDED by one vote, and to EXPIRED by time; APPROVED goes to LAPSED by time. Time widens who is
asked, and never approves; a quorum below one is never met. What the claim does to a request (CONSUMED,
VOIDED, WITHDRAWN) is the store's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from guarded_agents.approval._form import MAX_AHEAD_S
from guarded_agents.binding import clipped, person
from guarded_agents.errors import ApprovalError, ApprovalExpiredError, NotEligibleError, RequestClosedError
from guarded_agents.moments import exact
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    Electorate,
    Principal,
    RequestStatus,
    SignedVote,
    StandingRequest,
)

_AGAINST: Final = frozenset({Answer.REJECT, Answer.RESPOND})


def is_barred(approver: str, requester: Principal) -> bool:
    """Return whether *approver* is who asks, or whom that one acts for, however spelt (separation of duties)."""
    return person(approver) in {person(requester.id), person(requester.acting_for or requester.id)}


def groups_asked(request: ApprovalRequest, *, now: datetime) -> tuple[str, ...]:
    """Return the groups whose members may answer at *now* (UTC): its own, and from escalate-at on the backup too."""
    if request.backup is None or request.escalate_at is None or now < request.escalate_at:
        return (request.group,)
    return (request.group, request.backup)


def votes_counted(request: ApprovalRequest, votes: Iterable[SignedVote], *, electorate: Electorate) -> frozenset[str]:
    """Return the people whose votes count towards the quorum of *request*, as they signed.

    *votes* are those on the request and on its parent. A vote counts of somebody among the voters who is
    not barred, signed the digest of this request before its decide-by with APPROVE, or with the EDIT that
    led to it where ``editor_may_approve``, and has not delegated.
    """
    return frozenset(signed.vote.approver for signed in _counted(request, tuple(votes), electorate))


def _counted(request: ApprovalRequest, votes: tuple[SignedVote, ...], electorate: Electorate) -> list[SignedVote]:
    without = _without_vote(request, votes)
    return [
        signed
        for signed in votes
        if signed.vote.approver in electorate.voters
        and _is_over(request, signed)
        and _is_in_time(request, signed)
        and (_led_to(request, signed) or _answers(request, signed, Answer.APPROVE))
        and person(signed.vote.approver) not in without
        and not is_barred(signed.vote.approver, request.requester)
    ]


def agreed_at(request: ApprovalRequest, votes: Iterable[SignedVote], *, electorate: Electorate) -> datetime | None:
    """Return when (UTC) as many people as the quorum of *request* takes had signed; None where too few have.

    It is what they signed that says so, not when anybody recorded it.
    """
    if request.quorum < 1:
        return None
    signed_at: dict[str, datetime] = {}
    for signed in _counted(request, tuple(votes), electorate):
        who, at = person(signed.vote.approver), signed.vote.at
        signed_at[who] = min(at, signed_at.get(who, at))
    return None if len(signed_at) < request.quorum else sorted(signed_at.values())[request.quorum - 1]


def usable_until(signed_at: datetime, *, within_s: int) -> datetime:
    """Return until when (UTC) a call may be sent that was agreed to at *signed_at*, within *within_s* s of it.

    The clocks of who signs may run ahead, so this may be later than `execute_by` of the same vote.
    """
    return signed_at + timedelta(seconds=within_s + MAX_AHEAD_S)


def execute_by(request: ApprovalRequest, signed_at: datetime, *, within_s: int, now: datetime) -> datetime:
    """Return until when (UTC) *request* may be executed that was agreed to at *signed_at* and is approved at *now*.

    Raises ApprovalError where that is over: a signature that is handed in late approves nothing.
    """
    until = usable_until(signed_at, within_s=within_s)
    if now >= until:
        raise ApprovalError(
            f"approval {request.id}",
            expected=f"a signature that is handed in before {exact(until)}",
            got="one that comes later",
            action="sign anew; where others agreed too long ago, reject it, and have the call asked for again",
        )
    return min(now + timedelta(seconds=within_s), until)


def is_answered(request: ApprovalRequest, votes: Iterable[SignedVote]) -> bool:
    """Return whether one of *votes* rejects *request*, or answers in its place: it is never admitted then."""
    return any(signed.vote.request == request.id and signed.vote.answer in _AGAINST for signed in votes)


def people_left(request: ApprovalRequest, votes: Iterable[SignedVote], *, electorate: Electorate) -> frozenset[str]:
    """Return those of the voters whose vote counts or could still count, each by one spelling (`person`)."""
    without = _without_vote(request, tuple(votes))
    able = (person(voter) for voter in electorate.voters if not is_barred(voter, request.requester))
    return frozenset(able) - without


def glass_broken(request: ApprovalRequest, votes: Iterable[SignedVote], *, electorate: Electorate) -> bool:
    """Return whether a broken glass stands: by one of the holders who is not barred, and over no hard rule."""
    return bool(glass_breakers(request, votes, electorate=electorate))


def glass_breakers(request: ApprovalRequest, votes: Iterable[SignedVote], *, electorate: Electorate) -> frozenset[str]:
    """Return the holders whose broken glass stands; nobody where the rule is hard."""
    votes = tuple(votes)
    if request.hard:
        return frozenset()
    without = _without_vote(request, votes)
    return frozenset(
        signed.vote.approver
        for signed in votes
        if signed.vote.approver in electorate.holders
        and _is_over(request, signed)
        and _is_in_time(request, signed)
        and _answers(request, signed, Answer.BREAK_GLASS)
        and signed.second is not None
        and person(signed.vote.approver) not in without
        and not is_barred(signed.vote.approver, request.requester)
    )


def quorum_met(request: ApprovalRequest, votes: Iterable[SignedVote], *, electorate: Electorate) -> bool:
    """Return whether enough people agree: the quorum, or one who broke the glass. A quorum below one is never met."""
    votes = tuple(votes)
    if request.quorum < 1:
        return False
    return agreed_at(request, votes, electorate=electorate) is not None or glass_broken(
        request, votes, electorate=electorate
    )


def _without_vote(request: ApprovalRequest, votes: tuple[SignedVote, ...]) -> frozenset[str]:
    """Return who has no vote on *request*: who delegated it, and who edited it where that is not to count."""
    return frozenset(
        person(signed.vote.approver)
        for signed in votes
        if _answers(request, signed, Answer.DELEGATE) or (not request.editor_may_approve and _led_to(request, signed))
    )


def _is_over(request: ApprovalRequest, signed: SignedVote) -> bool:
    return signed.vote.digest == request.digest


def _is_in_time(request: ApprovalRequest, signed: SignedVote) -> bool:
    return signed.vote.at.utcoffset() is not None and signed.vote.at < request.decide_by


def _answers(request: ApprovalRequest, signed: SignedVote, answer: Answer) -> bool:
    return signed.vote.request == request.id and signed.vote.answer is answer


def _led_to(request: ApprovalRequest, signed: SignedVote) -> bool:
    return signed.vote.answer is Answer.EDIT and signed.vote.request == request.parent


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
        raise closed(standing, status)


def closed(standing: StandingRequest, status: RequestStatus, *, why: str | None = None) -> RequestClosedError:
    """Return the error of an answer that comes too late: who settled the request, and what an edit led to.

    *why* is what the one who settled it said, where that is proven.
    """
    by = "" if standing.settled_by is None else f" by {clipped(standing.settled_by)}"
    got = f"one that is {status.value}{', approved' if by and status is RequestStatus.CONSUMED else ''}{by}"
    if status is RequestStatus.SUPERSEDED and standing.successor is not None:
        got = f"one that was edited{by}; the new request is {clipped(standing.successor)}"
    return RequestClosedError(
        f"approval {standing.request.id}",
        expected="a pending request",
        got=got if why is None else f"{got}, who said: {why}",
        action="look at it with `guarded-agents approvals show`",
    )


def may_answer(
    request: ApprovalRequest, approver: str, *, electorate: Electorate, cast: Iterable[SignedVote] = ()
) -> bool:
    """Return whether *approver* may still answer: one of the voters, not barred, and not among those in *cast*."""
    spoken = {person(signed.vote.approver) for signed in cast if signed.vote.request == request.id}
    return (
        approver in electorate.voters and person(approver) not in spoken and not is_barred(approver, request.requester)
    )


def check_eligible(request: ApprovalRequest, approver: str, *, electorate: Electorate) -> None:
    """Raise NotEligibleError for a requester, and for anybody who is not among the voters."""
    check_not_barred(request, approver)
    if approver not in electorate.voters:
        raise NotEligibleError(
            f"approval {request.id}",
            expected=f"a member of {request.group}{_later(request)}",
            got="somebody else",
            action="ask a member",
        )


def check_not_barred(request: ApprovalRequest, approver: str) -> None:
    """Raise NotEligibleError for who asks, and for whom that one acts for."""
    if is_barred(approver, request.requester):
        raise NotEligibleError(
            f"approval {request.id}",
            expected="somebody other than who asks",
            got="the requester",
            action=f"ask another member of {request.group}",
        )


def check_not_editor(request: ApprovalRequest, approver: str, cast: Iterable[SignedVote]) -> None:
    """Raise NotEligibleError for who edited *request*, where that one has no vote on it; *cast* has its parent's."""
    editors = {person(signed.vote.approver) for signed in cast if _led_to(request, signed)}
    if not request.editor_may_approve and person(approver) in editors:
        raise NotEligibleError(
            f"approval {request.id}",
            expected="somebody other than who edited it",
            got="its editor",
            action="ask another who may approve it",
        )


def _later(request: ApprovalRequest) -> str:
    if request.backup is None or request.escalate_at is None:
        return ""
    return f" (from {exact(request.escalate_at)} on, of {request.backup} too)"
