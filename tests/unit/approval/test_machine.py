"""Where a request goes from where it stands."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.approval import (
    edit_request,
    is_barred,
    is_expired,
    quorum_met,
    status_after,
    status_at,
    votes_counted,
)
from guarded_agents.errors import ApprovalExpiredError, NotEligibleError, RequestClosedError
from guarded_agents.records import Answer, Principal, RequestStatus, StandingRequest
from tests.support.approvals import KEY, MEMBERS, OBLIGATION, TEN, bound, opened, permits, standing, voted

NOW = TEN + timedelta(minutes=2)
ONE, TWO = opened(), opened(quorum=2)
ANA, RAJ = "ana@example.com", "raj@example.com"
PENDING = RequestStatus.PENDING

AFTER = {
    "approve-one-of-one": (ONE, Answer.APPROVE, (), RequestStatus.APPROVED),
    "approve-one-of-two": (TWO, Answer.APPROVE, (), RequestStatus.PENDING),
    "approve-two-of-two": (TWO, Answer.APPROVE, (voted(TWO, RAJ),), RequestStatus.APPROVED),
    "approve-twice-by-one": (TWO, Answer.APPROVE, (voted(TWO, ANA, nonce="1" * 32),), RequestStatus.PENDING),
    "second-of-no-member": (TWO, Answer.APPROVE, (voted(TWO, "zoe@example.com"),), RequestStatus.PENDING),
    "second-of-the-requester": (TWO, Answer.APPROVE, (voted(TWO, "desk-agent"),), RequestStatus.PENDING),
    "second-on-another-request": (TWO, Answer.APPROVE, (voted(ONE, RAJ),), RequestStatus.PENDING),
    "reject": (TWO, Answer.REJECT, (voted(TWO, RAJ),), RequestStatus.REJECTED),
    "respond": (TWO, Answer.RESPOND, (), RequestStatus.ANSWERED),
    "edit": (TWO, Answer.EDIT, (), RequestStatus.SUPERSEDED),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("request_", "answer", "earlier", "status"), AFTER.values(), ids=AFTER)
def test_a_vote_moves_a_request(request_: object, answer: Answer, earlier: tuple[object, ...], status: object) -> None:
    signed = voted(request_, ANA, answer=answer)  # type: ignore[arg-type]
    eligible = MEMBERS | {"desk-agent"}
    found = status_after(StandingRequest(request_, PENDING), signed, earlier, eligible=eligible, now=NOW)  # type: ignore[arg-type]
    assert found is status


@pytest.mark.requirement("B9")
def test_nobody_answers_twice_in_two_ways() -> None:
    with pytest.raises(NotEligibleError, match="one answer of each"):
        status_after(standing(quorum=2), voted(TWO, answer=Answer.REJECT), (voted(TWO),), eligible=MEMBERS, now=NOW)


def test_a_vote_on_a_closed_or_expired_request_moves_nothing() -> None:
    with pytest.raises(RequestClosedError):
        status_after(standing(RequestStatus.REJECTED), voted(ONE), (), eligible=MEMBERS, now=NOW)
    with pytest.raises(ApprovalExpiredError):
        status_after(standing(), voted(ONE), (), eligible=MEMBERS, now=ONE.decide_by)


@pytest.mark.requirement("B9")
@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("approver", ["zoe@example.com", "desk-agent", "bob"])
def test_no_answer_counts_of_one_who_may_not_answer(approver: str, answer: Answer) -> None:
    eligible = MEMBERS | ({approver} - {"zoe@example.com"})
    with pytest.raises(NotEligibleError):
        status_after(standing(), voted(ONE, approver, answer=answer), (), eligible=eligible, now=NOW)


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
    assert is_expired(row, now=now) is (then is not status)


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
