"""May this person approve alone, in an emergency (DESIGN section 8, break-glass)?"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from guarded_agents.approval._machine import check_not_barred, check_not_editor, usable_until
from guarded_agents.binding import person
from guarded_agents.errors import ApprovalError, BreakGlassError, NotEligibleError
from guarded_agents.moments import duration
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    BreakGlassTerms,
    BrokenGlass,
    Electorate,
    SignedVote,
    StandingRequest,
    Vote,
)

MIN_JUSTIFICATION_CHARS: Final = 20


def check_glass(
    standing: StandingRequest,
    vote: Vote,
    terms: BreakGlassTerms | None,
    *,
    electorate: Electorate,
    cast: Iterable[SignedVote] = (),
) -> None:
    """Raise unless *vote* may approve the request alone, as far as it does not depend on other broken glass.

    *terms* are the policy's, None where it has none; *cast* are the votes on the request and on its
    parent. Raises BreakGlassError (no terms, a hard rule, a tool out of scope), NotEligibleError (the
    requester, its editor where that is not to count, no holder) and ApprovalError (no justification).
    """
    request = standing.request
    if terms is None:
        raise _refused(request, "a policy with break_glass", "one without", "leave it to its approvers")
    check_not_barred(request, vote.approver)
    _check_holder(request, vote, terms.holders & electorate.holders)
    check_not_editor(request, vote.approver, cast)
    if request.hard:
        raise _refused(request, "a rule that is not hard", "a hard one", "leave it to its approvers")
    if not _in_scope(request, terms):
        raise _refused(request, "a tool in the scope of break_glass", "another", "leave it to its approvers")
    if not _is_justified(vote):
        raise ApprovalError(
            f"vote on {request.id}",
            expected=f"a justification of at least {MIN_JUSTIFICATION_CHARS} characters",
            got="less",
            action="say why nobody else can answer in time, and sign again",
        )


def glass_stands(request: ApprovalRequest, vote: Vote, terms: BreakGlassTerms | None, *, now: datetime) -> bool:
    """Return whether *terms* let *vote*, whose proof the caller verifies, break the glass of *request* still at *now*.

    Asked again before the call is sent: whoever took the vote may have gone by terms of another policy.
    """
    if terms is None or vote.answer is not Answer.BREAK_GLASS or vote.at >= request.decide_by:
        return False
    return (
        vote.approver in terms.holders
        and not request.hard
        and _in_scope(request, terms)
        and _is_justified(vote)
        and now < usable_until(vote.at, within_s=min(request.execute_within_s, terms.execute_within_s))
    )


def _in_scope(request: ApprovalRequest, terms: BreakGlassTerms) -> bool:
    return f"{request.server}/{request.tool}" in terms.tools


def _is_justified(vote: Vote) -> bool:
    return len((vote.text or "").strip()) >= MIN_JUSTIFICATION_CHARS


def _check_holder(request: ApprovalRequest, vote: Vote, holders: frozenset[str]) -> None:
    if vote.approver not in holders:
        raise NotEligibleError(
            f"approval {request.id}",
            expected="somebody who may break the glass",
            got="somebody else",
            action="ask one of the policy's holders",
        )


def glass_left(terms: BreakGlassTerms, used: Sequence[BrokenGlass], *, approver: str, now: datetime) -> int:
    """Return how many glasses *approver* may still break at *now* (UTC), at least 1.

    *used* are all that have no review yet, and those that *approver* broke within the terms' period.
    Raises BreakGlassError where there is none left, and for everybody while any review is overdue.
    """
    overdue = sorted(glass.request for glass in used if glass.is_overdue(now=now))
    if overdue:
        raise BreakGlassError(
            "break-glass",
            expected="every broken glass reviewed by its date",
            got=f"{len(overdue)} overdue, the first that of request {overdue[0]}",
            action="have it reviewed: guarded-agents approvals review",
        )
    since = now - timedelta(seconds=terms.period_s)
    mine = [glass.used_at for glass in used if person(glass.approver) == person(approver) and glass.used_at > since]
    left = terms.per_person - len(mine)
    if left < 1:
        raise BreakGlassError(
            f"break-glass by {approver}",
            expected=f"at most {terms.per_person} within {duration(terms.period_s)}",
            got=f"{len(mine)} already",
            action="ask another holder, or leave it to its approvers",
        )
    return left


def _refused(request: ApprovalRequest, expected: str, got: str, action: str) -> BreakGlassError:
    return BreakGlassError(f"approval {request.id}", expected=expected, got=got, action=action)
