"""Where a request goes from where it stands."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from guarded_agents.approval import (
    agreed_at,
    check_eligible,
    check_open,
    edit_request,
    glass_broken,
    groups_asked,
    is_answered,
    is_barred,
    may_answer,
    quorum_met,
    status_at,
    usable_until,
    votes_counted,
)
from guarded_agents.errors import NotEligibleError, RequestClosedError
from guarded_agents.records import (
    REFUSES,
    Answer,
    ApprovalRequest,
    Electorate,
    Principal,
    RequestStatus,
    SignedVote,
    StandingRequest,
)
from tests.support.approvals import (
    ANA,
    ELECTORATE,
    ESCALATES,
    HOLDERS,
    KEY,
    LEA,
    MAX,
    MEMBERS,
    OBLIGATION,
    RAJ,
    TEN,
    ZOE,
    bound,
    broke,
    delegated,
    opened,
    permits,
    voted,
)

NOW = TEN + timedelta(minutes=2)
SECOND = timedelta(seconds=1)
ONE, TWO = opened(), opened(quorum=2)
HARD = opened(hard=True)
FOUR = frozenset({ANA, RAJ, ZOE, LEA})
PENDING = RequestStatus.PENDING


def spelt_otherwise(signed: SignedVote) -> SignedVote:
    return signed.model_copy(update={"vote": signed.vote.model_copy(update={"approver": signed.vote.approver.upper()})})


def without_second(signed: SignedVote) -> SignedVote:
    return signed.model_copy(update={"second": None})


AGREED = {
    "one-of-one": (ONE, (voted(ONE),), True),
    "nobody": (ONE, (), False),
    "one-of-two": (TWO, (voted(TWO),), False),
    "two-of-two": (TWO, (voted(TWO), voted(TWO, RAJ)), True),
    "twice-by-one": (TWO, (voted(TWO), voted(TWO, nonce="1" * 32)), False),
    "twice-by-one-in-two-spellings": (TWO, (voted(TWO), spelt_otherwise(voted(TWO))), False),
    "second-of-no-member": (TWO, (voted(TWO), voted(TWO, ZOE)), False),
    "second-of-the-requester": (TWO, (voted(TWO), voted(TWO, "desk-agent")), False),
    "second-on-another-request": (TWO, (voted(TWO), voted(ONE, RAJ)), False),
    "second-over-another-digest": (TWO, (voted(TWO), voted(TWO, RAJ, digest=ONE.digest)), False),
    "second-delegated-to-the-first": (TWO, (voted(TWO), delegated(TWO, RAJ, ANA)), False),
    "delegated-and-approved-by-one": (ONE, (voted(ONE), delegated(ONE, ANA, RAJ)), False),
    "delegated-in-another-spelling": (ONE, (voted(ONE), spelt_otherwise(delegated(ONE, ANA, RAJ))), False),
    "delegated-elsewhere": (ONE, (voted(ONE), delegated(TWO, ANA, RAJ, request="0" * 12)), True),
    "rejected": (ONE, (voted(ONE, answer=Answer.REJECT),), False),
    "broken-glass": (TWO, (broke(TWO),), True),
    "broken-glass-by-a-member": (TWO, (broke(TWO, ANA),), False),
    "broken-glass-by-the-requester": (TWO, (broke(TWO, "desk-agent"),), False),
    "broken-glass-of-another-request": (TWO, (broke(ONE),), False),
    "broken-glass-over-another-digest": (TWO, (broke(TWO, digest=ONE.digest),), False),
    "broken-glass-with-one-key": (TWO, (without_second(broke(TWO)),), False),
    "broken-glass-of-a-hard-rule": (HARD, (broke(HARD),), False),
    "approval-by-a-holder": (ONE, (voted(ONE, MAX),), False),
    "broken-glass-by-who-delegated": (ONE, (broke(ONE), delegated(ONE, MAX, RAJ)), False),
}


@pytest.mark.requirement("I7")
@pytest.mark.requirement("I12")
@pytest.mark.parametrize(("row", "votes", "met"), AGREED.values(), ids=AGREED)
def test_a_quorum_is_met_by_distinct_people_who_may_answer_this_request(
    row: ApprovalRequest, votes: tuple[SignedVote, ...], met: bool
) -> None:
    electorate = Electorate(MEMBERS | {"desk-agent", ANA.upper()}, HOLDERS)
    assert quorum_met(row, votes, electorate=electorate) is met


SAME = {
    "id": ("desk-agent", True),
    "whom-it-acts-for": ("bob", True),
    "other-case": ("BOB", True),
    "other-form": ("ｂｏｂ", True),
    "somebody-else": ("bobby", False),
}


@pytest.mark.requirement("B9")
@pytest.mark.parametrize(("approver", "barred"), SAME.values(), ids=SAME)
def test_who_asks_is_barred_however_the_name_is_spelt(approver: str, barred: bool) -> None:
    assert is_barred(approver, Principal(id="desk-agent", acting_for="bob")) is barred
    assert is_barred("desk-agent", Principal(id="desk-agent"))


@pytest.mark.requirement("B12")
@pytest.mark.parametrize("quorum", [0, -1])
def test_an_empty_quorum_is_never_met(quorum: int) -> None:
    row = ONE.model_copy(update={"quorum": quorum})
    assert not quorum_met(row, (), electorate=ELECTORATE)
    assert not quorum_met(row, (voted(row), broke(row)), electorate=ELECTORATE)


def test_votes_are_counted_again_over_those_who_are_still_eligible() -> None:
    votes = (voted(TWO, ANA), voted(TWO, RAJ), broke(TWO))
    assert votes_counted(TWO, votes, electorate=ELECTORATE) == {ANA, RAJ}
    assert votes_counted(TWO, votes, electorate=Electorate(frozenset({RAJ}))) == {RAJ}
    assert glass_broken(TWO, votes, electorate=ELECTORATE)
    assert not glass_broken(TWO, votes, electorate=Electorate(MEMBERS))
    assert not quorum_met(TWO, votes, electorate=Electorate(frozenset({RAJ})))


def test_the_quorum_agreed_when_the_last_of_as_many_people_had_signed() -> None:
    first, second, third = (
        voted(TWO, who, at=TEN + minutes * 60 * SECOND) for who, minutes in ((ANA, 3), (RAJ, 5), (ZOE, 9))
    )
    electorate = Electorate(frozenset({ANA, RAJ, ZOE, ANA.upper()}))
    assert agreed_at(TWO, (second, first), electorate=electorate) == second.vote.at
    assert agreed_at(TWO, (third, second, first), electorate=electorate) == second.vote.at  # nobody can prolong it
    assert agreed_at(TWO, (first, first, spelt_otherwise(first)), electorate=electorate) is None
    assert agreed_at(TWO, (first, broke(TWO)), electorate=electorate) is None
    assert agreed_at(TWO.model_copy(update={"quorum": 0}), (), electorate=electorate) is None
    assert usable_until(second.vote.at, within_s=900) == second.vote.at + 1_200 * SECOND


@pytest.mark.requirement("B12")
@pytest.mark.parametrize("at", [ONE.decide_by, TEN.replace(tzinfo=None)], ids=["too late", "without a zone"])
def test_what_was_not_signed_in_time_counts_no_more_than_what_nobody_signed(at: datetime) -> None:
    vote, glass = (
        signed.model_copy(update={"vote": signed.vote.model_copy(update={"at": at})})
        for signed in (voted(ONE), broke(ONE))
    )
    assert not quorum_met(ONE, (vote, glass), electorate=ELECTORATE)
    assert quorum_met(ONE, (voted(ONE, at=ONE.decide_by - SECOND),), electorate=ELECTORATE)


def test_a_rejection_and_an_answer_are_about_one_request() -> None:
    for answer, against in ((Answer.REJECT, True), (Answer.RESPOND, True), (Answer.DELEGATE, False)):
        assert is_answered(ONE, (voted(ONE), voted(ONE, RAJ, answer=answer))) is against
        assert not is_answered(ONE, (voted(ONE, RAJ, answer=answer, request="0" * 12),))


def edited(*, editor_may_approve: bool) -> ApprovalRequest:
    decision = permits(replace(OBLIGATION, editor_may_approve=editor_may_approve))
    return edit_request(ONE, bound({"amount_cents": 1}), decision, members=MEMBERS, key=KEY, now=NOW)


def edit_to(request: ApprovalRequest, editor: str = ANA) -> SignedVote:
    return voted(ONE, editor, answer=Answer.EDIT, digest=request.digest, arguments=request.arguments)


@pytest.mark.requirement("I8")
@pytest.mark.parametrize("editor_may_approve", [False, True], ids=["not-by-default", "where-the-rule-says-so"])
def test_an_editors_signature_counts_on_the_edit_only_where_the_rule_says_so(editor_may_approve: bool) -> None:
    row = edited(editor_may_approve=editor_may_approve)
    edit = edit_to(row)
    assert votes_counted(row, (edit,), electorate=ELECTORATE) == ({ANA} if editor_may_approve else set())
    assert votes_counted(row, (voted(ONE),), electorate=ELECTORATE) == set()  # it inherits no vote
    assert votes_counted(row, (edit, voted(row, RAJ)), electorate=ELECTORATE) >= {RAJ}
    other = edit.model_copy(update={"vote": edit.vote.model_copy(update={"request": "0" * 12})})
    assert votes_counted(row, (other,), electorate=ELECTORATE) == set()
    assert quorum_met(row, (edit_to(row, MAX), broke(row)), electorate=ELECTORATE) is editor_may_approve


@pytest.mark.requirement("I8")
def test_an_edit_inherits_no_delegation() -> None:
    row = edited(editor_may_approve=False)
    assert votes_counted(row, (delegated(ONE, ANA, RAJ), voted(row)), electorate=ELECTORATE) == {ANA}


TIMES = {
    "pending-in-time": (PENDING, None, ONE.decide_by - SECOND, PENDING),
    "pending-too-late": (PENDING, None, ONE.decide_by, RequestStatus.EXPIRED),
    "approved-in-time": (RequestStatus.APPROVED, NOW, NOW - SECOND, RequestStatus.APPROVED),
    "approved-too-late": (RequestStatus.APPROVED, NOW, NOW, RequestStatus.LAPSED),
    "approved-without-a-time": (RequestStatus.APPROVED, None, TEN, RequestStatus.LAPSED),
    "consumed-long-ago": (RequestStatus.CONSUMED, NOW, NOW + 9_999 * SECOND, RequestStatus.CONSUMED),
    "rejected-long-ago": (RequestStatus.REJECTED, None, ONE.decide_by + SECOND, RequestStatus.REJECTED),
}


@pytest.mark.requirement("I6")
@pytest.mark.requirement("B12")
@pytest.mark.parametrize(("status", "execute_by", "now", "then"), TIMES.values(), ids=TIMES)
def test_time_closes_and_never_approves(
    status: RequestStatus, execute_by: datetime | None, now: datetime, then: RequestStatus
) -> None:
    row = StandingRequest(ONE, status, execute_by=execute_by)
    assert status_at(row, now=now) is then


def test_a_request_that_was_expired_early_is_closed_and_not_called_late() -> None:
    with pytest.raises(RequestClosedError, match="got one that is expired"):
        check_open(StandingRequest(ONE, RequestStatus.EXPIRED), now=NOW)


ESCALATING = opened(backup="finance-leads", escalate_within_s=1_800)
ASKED = {
    "before": (ESCALATING, TEN + 1_799 * SECOND, ("finance",)),
    "from-the-moment-on": (ESCALATING, TEN + 1_800 * SECOND, ("finance", "finance-leads")),
    "long-after": (ESCALATING, TEN + 99_999 * SECOND, ("finance", "finance-leads")),
    "no-backup": (ONE, TEN + 99_999 * SECOND, ("finance",)),
    "a-backup-without-a-time": (ONE.model_copy(update={"backup": "finance-leads"}), TEN, ("finance",)),
}


@pytest.mark.parametrize(("row", "now", "groups"), ASKED.values(), ids=ASKED)
def test_time_widens_who_is_asked(row: ApprovalRequest, now: datetime, groups: tuple[str, ...]) -> None:
    assert groups_asked(row, now=now) == groups


def test_escalation_changes_neither_the_digest_nor_the_deadline() -> None:
    assert ESCALATING.escalate_at == TEN + timedelta(seconds=ESCALATES.escalate_within_s or 0)
    assert ESCALATING.decide_by == ONE.decide_by
    with pytest.raises(NotEligibleError, match=r"a member of finance \(from 2026-01-05T10:30:00Z on, of finance-leads"):
        check_eligible(ESCALATING, ZOE, electorate=ELECTORATE)
    check_eligible(ESCALATING, ZOE, electorate=Electorate(MEMBERS | {ZOE}))


MAY = {
    "a-member": (ANA, (), True),
    "somebody-else": (ZOE, (), False),
    "a-holder": (MAX, (), False),
    "the-requester": ("desk-agent", (), False),
    "who-has-voted": (ANA, (voted(TWO),), False),
    "who-has-delegated": (ANA, (delegated(TWO, ANA, RAJ),), False),
    "where-another-has-voted": (ANA, (voted(TWO, RAJ),), True),
    "who-voted-elsewhere": (ANA, (voted(ONE, request="0" * 12),), True),
}


@pytest.mark.parametrize(("name", "cast", "may"), MAY.values(), ids=MAY)
def test_who_may_answer_can_be_told(name: str, cast: tuple[SignedVote, ...], may: bool) -> None:
    electorate = Electorate(MEMBERS | {"desk-agent"}, HOLDERS)
    assert may_answer(TWO, name, electorate=electorate, cast=cast) is may


def test_whatever_ends_a_request_without_its_call_is_a_reason_to_refuse_it() -> None:
    assert {status.name: reason.name for status, reason in REFUSES.items()} == {
        name: name for name in ("ANSWERED", "REJECTED", "EXPIRED", "SUPERSEDED", "WITHDRAWN", "LAPSED", "VOIDED")
    }
