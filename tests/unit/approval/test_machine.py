"""Where a request goes from where it stands."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.approval import (
    edit_request,
    is_barred,
    quorum_met,
    status_at,
    votes_counted,
)
from guarded_agents.records import Answer, ApprovalRequest, Principal, RequestStatus, SignedVote, StandingRequest
from tests.support.approvals import KEY, MEMBERS, OBLIGATION, TEN, bound, opened, permits, voted

NOW = TEN + timedelta(minutes=2)
ONE, TWO = opened(), opened(quorum=2)
ANA, RAJ = "ana@example.com", "raj@example.com"
PENDING = RequestStatus.PENDING

AGREED = {
    "one-of-one": (ONE, (voted(ONE),), True),
    "one-of-two": (TWO, (voted(TWO),), False),
    "two-of-two": (TWO, (voted(TWO), voted(TWO, RAJ)), True),
    "twice-by-one": (TWO, (voted(TWO), voted(TWO, nonce="1" * 32)), False),
    "second-of-no-member": (TWO, (voted(TWO), voted(TWO, "zoe@example.com")), False),
    "second-of-the-requester": (TWO, (voted(TWO), voted(TWO, "desk-agent")), False),
    "second-on-another-request": (TWO, (voted(TWO), voted(ONE, RAJ)), False),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("row", "votes", "met"), AGREED.values(), ids=AGREED)
def test_a_quorum_is_met_by_distinct_people_who_may_answer_this_request(
    row: ApprovalRequest, votes: tuple[SignedVote, ...], met: bool
) -> None:
    assert quorum_met(row, votes, eligible=MEMBERS | {"desk-agent"}) is met


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
    assert not quorum_met(row, (), eligible=MEMBERS)
    assert not quorum_met(row, (voted(row),), eligible=MEMBERS)


def test_votes_are_counted_again_over_those_who_are_still_eligible() -> None:
    votes = (voted(TWO, ANA), voted(TWO, RAJ))
    assert votes_counted(TWO, votes, eligible=MEMBERS) == {ANA, RAJ}
    assert votes_counted(TWO, votes, eligible=frozenset({RAJ})) == {RAJ}
    assert not quorum_met(TWO, votes, eligible=frozenset({RAJ}))


@pytest.mark.requirement("I8")
@pytest.mark.parametrize("editor_may_approve", [False, True], ids=["not-by-default", "where-the-rule-says-so"])
def test_an_editors_signature_counts_on_the_edit_only_where_the_rule_says_so(editor_may_approve: bool) -> None:
    decision = permits(replace(OBLIGATION, editor_may_approve=editor_may_approve))
    edited = edit_request(ONE, bound({"amount_cents": 1}), decision, key=KEY, now=NOW)
    edit = voted(ONE, answer=Answer.EDIT, digest=edited.digest, arguments=edited.arguments)
    assert votes_counted(edited, (edit,), eligible=MEMBERS) == ({ANA} if editor_may_approve else set())
    assert votes_counted(edited, (voted(ONE),), eligible=MEMBERS) == set()  # it inherits no vote
    other = edit.model_copy(update={"vote": edit.vote.model_copy(update={"request": "0" * 12})})
    assert votes_counted(edited, (other,), eligible=MEMBERS) == set()


@pytest.mark.requirement("I8")
def test_a_rejection_never_counts_towards_a_quorum() -> None:
    assert votes_counted(ONE, (voted(ONE, answer=Answer.REJECT),), eligible=MEMBERS) == set()


SECOND = timedelta(seconds=1)
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


@pytest.mark.requirement("B12")
@given(
    people=st.lists(st.sampled_from(["ana@example.com", "raj@example.com", "zoe@example.com", "desk-agent", "bob"])),
    answers=st.lists(st.sampled_from(Answer)),
    quorum=st.integers(1, 2),
)
def test_a_request_is_approved_only_by_as_many_people_as_its_quorum(
    people: list[str], answers: list[Answer], quorum: int
) -> None:
    row = ONE if quorum == 1 else TWO
    votes = [voted(row, person, answer=answer) for person, answer in zip(people, answers, strict=False)]
    agreed = {v.vote.approver for v in votes if v.vote.answer is Answer.APPROVE} & MEMBERS
    assert quorum_met(row, votes, eligible=MEMBERS) is (len(agreed) >= quorum)
