"""Does this statement extend the plan of a thread (DESIGN section 7)?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from guarded_agents.approval._form import check_nonce, check_signed, check_text, ineligible
from guarded_agents.approval._machine import is_barred
from guarded_agents.records import PlanExtension, Principal

MAX_AGE_S: Final = 86_400  # an ID token for it may take a while; what was kept for longer was not meant for now


def check_extension(
    extension: PlanExtension, *, groups: Mapping[str, frozenset[str]], requester: Principal, now: datetime
) -> None:
    """Raise unless *extension*, whose proof the caller verifies, may add its tool to a plan at *now* (UTC).

    *groups* are those that are asked about calls of the tool, freshly looked up; *requester* asks in the thread's
    current entry. Raises NotEligibleError (who asks, or no member), ProofError (signed more than a day ago, or in the
    future) and ApprovalError for the form.
    """
    if is_barred(extension.approver, requester):
        raise ineligible(extension, "somebody other than who asks in the thread", "the requester")
    if not any(extension.approver in members for members in groups.values()):
        raise ineligible(extension, f"a member of {' or of '.join(groups)}", "somebody else")
    check_text(extension, needed=None)
    check_nonce(extension)
    check_signed(extension, since=now - timedelta(seconds=MAX_AGE_S), since_what="a day ago", now=now)
