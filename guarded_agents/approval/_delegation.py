"""May this approver let that one answer in its place? One step, and both count as one person."""

from collections.abc import Iterable
from typing import Final

from guarded_agents.approval._machine import people_left
from guarded_agents.binding import person
from guarded_agents.errors import NotEligibleError
from guarded_agents.records import Answer, ApprovalRequest, Electorate, SignedVote, Vote

_ELIGIBLE: Final = "a delegate who may answer this request without it"


def check_delegation(
    request: ApprovalRequest, vote: Vote, cast: Iterable[SignedVote], *, electorate: Electorate
) -> None:
    """Raise NotEligibleError unless *vote* may hand the vote of its approver, who is eligible, to its delegate.

    *cast* are the votes on the request and on its parent; a vote that is among them is sent again, and
    passes. The delegate is eligible without it, has neither voted nor delegated, and is another person;
    who was named as a delegate does not hand on; and enough people stay for the quorum.
    """
    cast = tuple(cast)
    if any(signed.vote == vote for signed in cast):
        return
    mine = [signed.vote for signed in cast if signed.vote.request == request.id]
    spoken = {person(earlier.approver) for earlier in mine}
    named = {person(earlier.delegate or "") for earlier in mine if earlier.answer is Answer.DELEGATE}
    giver, taker = person(vote.approver), person(vote.delegate or "")
    left = people_left(request, cast, electorate=electorate)
    faults = (
        (giver in spoken, "an approver who has not voted", "one who has"),
        (giver in named, "an approver who was not named as delegate: it is one step", "one who was"),
        (taker == giver, "another person as delegate", "the approver"),
        (vote.delegate not in electorate.voters or taker not in left, _ELIGIBLE, "somebody who may not"),
        (taker in spoken, "a delegate who has not voted", "one who has"),
        (len(left - {giver}) < request.quorum, f"{request.quorum} people left who may agree", "too few"),
    )
    for is_fault, expected, got in faults:
        if is_fault:
            raise NotEligibleError(
                f"delegation of approval {request.id}",
                expected=expected,
                got=got,
                action="answer it yourself, or name another member",
            )
