"""Does this review of a broken glass count?"""

import hmac
from datetime import datetime

from guarded_agents.approval._form import check_nonce, check_signed, check_text, ineligible, unproven
from guarded_agents.approval._machine import is_barred
from guarded_agents.binding import person
from guarded_agents.errors import RequestClosedError, UnknownRequestError
from guarded_agents.records import ApprovalRequest, BrokenGlass, Review


def check_review(
    review: Review, glass: BrokenGlass, request: ApprovalRequest, *, members: frozenset[str], now: datetime
) -> None:
    """Raise unless *review*, whose proof the caller verifies, counts as the review of *glass* at *now* (UTC).

    *members* are the reviewers, freshly looked up; that *request* is intact the caller has seen to. A review
    after its date counts. Raises UnknownRequestError (a review of another request), RequestClosedError
    (there is one already), NotEligibleError (who broke the glass, who asks, no reviewer), ProofError (a
    digest or time that does not fit), and ApprovalError for the form.
    """
    if not review.request == glass.request == request.id:
        raise UnknownRequestError(
            f"review of {review.request}", expected=f"request {glass.request}", got="another", action="look it up again"
        )
    if glass.finding is not None:
        raise RequestClosedError(
            f"review of {review.request}",
            expected="a broken glass without a review",
            got=f"one that was found {glass.finding.value}",
            action="nothing is left to do",
        )
    _check_reviewer(review, glass, request, members)
    check_text(review, needed="a text that says what was looked at")
    check_nonce(review)
    if not hmac.compare_digest(review.digest.encode("utf-8", "replace"), request.digest.encode()):
        raise unproven(review, "the digest of this request", "another", "look at it again and sign what you see")
    check_signed(review, since=glass.used_at, since_what="the glass was broken", now=now)


def _check_reviewer(review: Review, glass: BrokenGlass, request: ApprovalRequest, members: frozenset[str]) -> None:
    if person(review.reviewer) == person(glass.approver):
        raise ineligible(review, "somebody other than who broke the glass", "the same person")
    if is_barred(review.reviewer, request.requester):
        raise ineligible(review, "somebody other than who asked", "the requester")
    if review.reviewer not in members:
        raise ineligible(review, "a reviewer of broken glass", "somebody else")
