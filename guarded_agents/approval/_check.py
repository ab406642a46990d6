"""Does this vote count? Every question that the facade of DESIGN I7 asks of one, but for its proof of identity."""

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from guarded_agents import binding
from guarded_agents.approval._delegation import check_delegation
from guarded_agents.approval._form import check_nonce, check_signed, check_text, malformed, unproven
from guarded_agents.approval._glass import check_glass
from guarded_agents.approval._machine import check_eligible, check_not_editor, check_open, people_left
from guarded_agents.approval._request import is_intact
from guarded_agents.errors import ApprovalExpiredError, BindingError, NotEligibleError, UnknownRequestError
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    BreakGlassTerms,
    Electorate,
    SignedVote,
    StandingRequest,
    Vote,
)

_TAKES_A_VOTE: Final = frozenset({Answer.APPROVE, Answer.DELEGATE})


def check_vote(
    standing: StandingRequest,
    signed: SignedVote,
    *,
    electorate: Electorate,
    key: bytes,
    now: datetime,
    edited: ApprovalRequest | None = None,
    cast: Sequence[SignedVote] = (),
    terms: BreakGlassTerms | None = None,
) -> None:
    """Raise unless *signed*, whose proof the caller verifies, counts as an answer to *standing* at *now* (UTC).

    *electorate* is freshly looked up. *edited* is the request that an EDIT leads to, made by
    `edit_request`; the vote signs its digest. *cast* are the votes on the request and on its parent,
    *terms* those of breaking the glass. Raises UnknownRequestError (a vote on another request), ProofError
    (a changed row, a digest or time that does not fit), RequestClosedError, ApprovalExpiredError,
    NotEligibleError, BreakGlassError, and ApprovalError for the form.
    """
    request, vote = standing.request, signed.vote
    if vote.request != request.id:
        raise UnknownRequestError(
            f"vote on {vote.request}", expected=f"request {request.id}", got="another", action="look it up by its id"
        )
    if not is_intact(request, key=key):
        raise unproven(vote, "the row as it was written", "a changed one", "answer nothing; verify the audit log")
    check_open(standing, now=now)
    if vote.answer is Answer.BREAK_GLASS:
        check_glass(standing, vote, terms, electorate=electorate, cast=cast)
    else:
        check_eligible(request, vote.approver, electorate=electorate)
    if vote.answer in _TAKES_A_VOTE:
        check_not_editor(request, vote.approver, cast)
    _check_form(signed)
    if vote.answer is Answer.DELEGATE:
        check_delegation(request, vote, cast, electorate=electorate)
    asked = _asked(request, vote, edited, key)
    if not hmac.compare_digest(vote.digest.encode("utf-8", "replace"), asked.digest.encode()):
        raise unproven(vote, "the digest of this request", "another", "look at it again and sign what you see")
    check_signed(vote, since=request.created_at, since_what="the request", now=now)
    if vote.at >= request.decide_by:
        raise ApprovalExpiredError(request.id, decide_by=request.decide_by, answered_at=vote.at)


def check_edit(edited: ApprovalRequest, signed: SignedVote, *, electorate: Electorate) -> None:
    """Raise NotEligibleError where the edit *signed* leaves too few for the quorum of the request that it leads to.

    *electorate* are those who are asked about *edited*, freshly looked up.
    """
    if len(people_left(edited, (signed,), electorate=electorate)) < edited.quorum:
        raise NotEligibleError(
            f"edit of approval {edited.parent}",
            expected=f"{edited.quorum} people left who may agree to what it leads to",
            got="too few",
            action="edit it otherwise, reject it, or leave the edit to somebody else",
        )


def _asked(request: ApprovalRequest, vote: Vote, edited: ApprovalRequest | None, key: bytes) -> ApprovalRequest:
    """Return the request whose digest the vote has to sign."""
    if vote.answer is not Answer.EDIT:
        return request
    if (
        edited is None
        or (edited.parent, edited.decide_by) != (request.id, request.decide_by)
        or edited.arguments != vote.arguments
        or not is_intact(edited, key=key)
    ):
        raise unproven(vote, "the edited request of this vote", "another or none", "preview the edit again")
    return edited


def check_words(vote: Vote) -> None:
    """Raise ApprovalError for a text that is too long, or that is blank in a response."""
    check_text(vote, needed="a text that the model is told" if vote.answer is Answer.RESPOND else None)


def _check_form(signed: SignedVote) -> None:
    vote = signed.vote
    check_words(vote)
    parts = (
        ("arguments", vote.arguments, Answer.EDIT),
        ("a delegate", vote.delegate, Answer.DELEGATE),
        ("a second signature", signed.second, Answer.BREAK_GLASS),
    )
    for what, part, answer in parts:
        if (part is not None) is not (vote.answer is answer):
            raise malformed(vote, f"{what} with {answer.value} and only there", "another combination")
    if vote.arguments is not None and not _is_canonical(vote.arguments):
        raise malformed(vote, "arguments in canonical JSON (RFC 8785)", "another spelling")
    check_nonce(vote)


def _is_canonical(arguments: str) -> bool:
    try:
        return binding.canonical(binding.parse(arguments.encode())) == arguments.encode()
    except (BindingError, ValueError):
        return False
