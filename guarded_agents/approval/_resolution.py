"""Does this resolution settle a call in doubt (DESIGN section 8b.5)?"""

from collections.abc import Mapping
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
    resolution: Resolution,
    claim: Claim,
    *,
    groups: Mapping[str, frozenset[str]],
    requester: Principal,
    now: datetime,
) -> None:
    """Raise unless *resolution*, whose proof the caller verifies, may settle *claim* at *now* (UTC).

    *groups* are those whose members may resolve it, freshly looked up: of the call's request, or the
    operators. Raises UnknownRequestError (another call), RequestClosedError (not in doubt, or another
    attempt than the one that was looked at), NotEligibleError (who asked, or no member), ProofError (times
    that cannot be), and ApprovalError for the form and as `check_look`.
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
    if not any(resolution.resolver in members for members in groups.values()):
        raise ineligible(resolution, f"a member of {' or of '.join(groups)}", "somebody else")
    check_text(resolution, needed="a text that says what was seen, and where")
    check_nonce(resolution)
    if resolution.looked_at > now:
        raise unproven(resolution, "a look in the past", "one in the future", "set the clock and sign again")
    check_signed(resolution, since=resolution.looked_at, since_what="the look", now=now)
    check_look(resolution, claim)


def check_look(resolution: Resolution, claim: Claim) -> None:
    """Raise ApprovalError unless whoever looked did so late enough to have seen what the verdict says.

    Nobody sees a call before it was sent, and that it did not happen only once its sender has ended.
    """
    if claim.admitted_at is None or resolution.looked_at < claim.admitted_at:
        admitted = "" if claim.admitted_at is None else f" at {exact(claim.admitted_at)}"
        raise _too_early(resolution, f"a look since the call was admitted{admitted}", "look again, and sign that")
    if resolution.verdict is Verdict.NOT_HAPPENED and resolution.looked_at <= claim.lease_until:
        ended = exact(claim.lease_until)
        raise _too_early(
            resolution, f"a look after the sender's lease ended at {ended}", "look again, or sign not_observed"
        )


def _too_early(resolution: Resolution, expected: str, action: str) -> ApprovalError:
    return ApprovalError(
        f"resolution of {resolution.call}",
        expected=expected,
        got=f"one at {exact(resolution.looked_at)}",
        action=action,
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
