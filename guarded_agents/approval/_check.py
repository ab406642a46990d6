"""Does this vote count? Every question that the facade of DESIGN I7 asks of one."""

import hmac
import re
from datetime import datetime, timedelta
from typing import Final

from guarded_agents import binding
from guarded_agents.approval._machine import check_eligible, check_open
from guarded_agents.approval._request import is_intact
from guarded_agents.approval._signers import Signers
from guarded_agents.errors import (
    ApprovalError,
    ApprovalExpiredError,
    BindingError,
    ProofError,
    UnknownRequestError,
)
from guarded_agents.records import Answer, ApprovalRequest, SignedVote, StandingRequest, Vote

MAX_TEXT_CHARS: Final = 4_000
MAX_AHEAD_S: Final = 300  # clocks of approvers may run this far ahead
_NONCE: Final = re.compile(r"[0-9a-f]{32}")


def check_vote(
    standing: StandingRequest,
    signed: SignedVote,
    *,
    members: frozenset[str],
    signers: Signers,
    key: bytes,
    now: datetime,
    edited: ApprovalRequest | None = None,
) -> None:
    """Raise unless *signed* counts as an answer to *standing* at *now* (UTC).

    *members* are those who may answer now, freshly looked up. *edited* is the request that an EDIT
    leads to, made by `edit_request`; the vote signs its digest. Raises UnknownRequestError (a
    vote on another request), ProofError (a changed row, a signature, digest or time that does not
    fit), RequestClosedError, ApprovalExpiredError, NotEligibleError, and ApprovalError for the form.
    """
    request, vote = standing.request, signed.vote
    if vote.request != request.id:
        raise UnknownRequestError(
            f"vote on {vote.request}", expected=f"request {request.id}", got="another", action="look it up by its id"
        )
    if not is_intact(request, key=key):
        raise _unproven(request, "the row as it was written", "a changed one", "answer nothing; verify the audit log")
    check_open(standing, now=now)
    check_eligible(request, vote.approver, eligible=members)
    signers.verify(signed, now=now)
    _check_form(vote)
    asked = _asked(request, vote, edited, key)
    if not hmac.compare_digest(vote.digest.encode(), asked.digest.encode()):
        raise _unproven(request, "the digest of this request", "another", "look at it again and sign what you see")
    _check_time(request, vote, now)


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
        raise _unproven(request, "the edited request of this vote", "another or none", "preview the edit again")
    return edited


def _check_form(vote: Vote) -> None:
    if vote.text is not None and len(vote.text) > MAX_TEXT_CHARS:
        raise _malformed(vote, f"a text of at most {MAX_TEXT_CHARS:,} characters", f"{len(vote.text):,}")
    if vote.answer is Answer.RESPOND and not (vote.text or "").strip():
        raise _malformed(vote, "a text that the model is told", "none")
    if (vote.arguments is not None) is not (vote.answer is Answer.EDIT):
        raise _malformed(vote, "arguments with an edit and only there", "another combination")
    if vote.arguments is not None and not _is_canonical(vote.arguments):
        raise _malformed(vote, "arguments in canonical JSON (RFC 8785)", "another spelling")
    if not _NONCE.fullmatch(vote.nonce):
        raise _malformed(vote, "a nonce of 32 hex digits", "another")


def _is_canonical(arguments: str) -> bool:
    try:
        return binding.canonical(binding.parse(arguments.encode())) == arguments.encode()
    except (BindingError, ValueError):
        return False


def _check_time(request: ApprovalRequest, vote: Vote, now: datetime) -> None:
    if vote.at > now + timedelta(seconds=MAX_AHEAD_S):
        raise _unproven(request, "a vote signed now", "one from the future", "set the clock and sign again")
    if vote.at < request.created_at:
        raise _unproven(request, "a vote signed since the request", "an older one", "set the clock and sign again")
    if vote.at >= request.decide_by:
        raise ApprovalExpiredError(request.id, decide_by=request.decide_by, answered_at=vote.at)


def _unproven(request: ApprovalRequest, expected: str, got: str, action: str) -> ProofError:
    return ProofError(f"approval {request.id}", expected=expected, got=got, action=action)


def _malformed(vote: Vote, expected: str, got: str) -> ApprovalError:
    return ApprovalError(f"vote on {vote.request}", expected=expected, got=got, action="correct it and sign again")
