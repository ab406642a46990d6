"""Does this resolution settle a call in doubt (DESIGN section 8b.5)?"""

from datetime import datetime
from hashlib import sha256
from typing import Final

import rfc8785

from guarded_agents.approval._form import check_nonce, check_signed, check_text, ineligible, unproven
from guarded_agents.approval._machine import is_barred
from guarded_agents.errors import ApprovalError, RequestClosedError, UnknownRequestError
from guarded_agents.moments import exact
from guarded_agents.records import CallKey, Claim, ClaimStatus, Principal, Resolution, Verdict

_ID_CHARS: Final = 12


def doubt_id(key: CallKey) -> str:
    """Return the id by which people name the call of *key* (12 hex digits), the same wherever it is shown."""
    return sha256(b"guarded-agents doubt v1\n" + rfc8785.dumps(list(key))).hexdigest()[:_ID_CHARS]


def check_resolution(
    resolution: Resolution, claim: Claim, *, members: frozenset[str], requester: Principal, now: datetime
) -> None:
    """Raise unless *resolution*, whose proof the caller verifies, may settle *claim* at *now* (UTC).

    *members* are those who may resolve it, freshly looked up: of the group of the call's request, or the
    operators. Raises UnknownRequestError (another call), RequestClosedError (not in doubt, or another
    attempt than the one that was looked at), NotEligibleError (who asked, or no member), ProofError (times
    that cannot be), and ApprovalError for the form and for NOT_HAPPENED without a look after the lease ended.
    """
    if resolution.call != doubt_id(claim.key):
        raise UnknownRequestError(
            f"resolution of {resolution.call}",
            expected=f"call {doubt_id(claim.key)}",
            got="another",
            action="list what is in doubt with `guarded-agents doctor`",
        )
    _check_row(resolution, claim)
    if is_barred(resolution.resolver, requester):
        raise ineligible(resolution, "somebody other than who asked for the call", "the requester")
    if resolution.resolver not in members:
        raise ineligible(resolution, "somebody who may resolve this call", "somebody else")
    check_text(resolution, needed="a text that says what was seen, and where")
    check_nonce(resolution)
    if resolution.looked_at > now:
        raise unproven(resolution, "a look in the past", "one in the future", "set the clock and sign again")
    check_signed(resolution, since=resolution.looked_at, since_what="the look", now=now)
    if resolution.verdict is Verdict.NOT_HAPPENED and resolution.looked_at <= claim.lease_until:
        raise ApprovalError(
            f"resolution of {resolution.call}",
            expected=f"a look after the sender's lease ended at {exact(claim.lease_until)}",
            got=f"one at {exact(resolution.looked_at)}",
            action="look again, or sign not_observed",
        )


def _check_row(resolution: Resolution, claim: Claim) -> None:
    if claim.status is not ClaimStatus.IN_DOUBT:
        raise RequestClosedError(
            f"resolution of {resolution.call}",
            expected="a call in doubt",
            got=f"one that is {claim.status.value}",
            action="nothing is left to do, or run `guarded-agents approvals sweep` where its lease has lapsed",
        )
    if claim.attempt != resolution.attempt:
        raise RequestClosedError(
            f"resolution of {resolution.call}",
            expected=f"one over attempt {claim.attempt}",
            got=f"one over attempt {resolution.attempt}",
            action="look again and sign anew",
        )
