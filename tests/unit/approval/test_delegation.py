"""Who may answer in whose place."""

from dataclasses import replace
from datetime import timedelta

import pytest

from guarded_agents.approval import check_delegation, edit_request, quorum_met
from guarded_agents.errors import NotEligibleError
from guarded_agents.records import Answer, ApprovalRequest, Electorate, SignedVote
from tests.support.approvals import (
    ANA,
    KEY,
    LEA,
    OBLIGATION,
    RAJ,
    TEN,
    ZOE,
    bound,
    delegated,
    opened,
    permits,
    voted,
)

FOUR = frozenset({ANA, RAJ, ZOE, LEA})
ALL = Electorate(FOUR | {"desk-agent", ANA.upper()})
ONE, TWO, THREE = (opened(members=FOUR, quorum=quorum) for quorum in (1, 2, 3))
EDITED = edit_request(
    ONE, bound({"amount_cents": 1}), permits(OBLIGATION), members=FOUR, key=KEY, now=TEN + timedelta(minutes=1)
)
EDIT = voted(ONE, RAJ, answer=Answer.EDIT, digest=EDITED.digest, arguments=EDITED.arguments)
FREE = edit_request(
    ONE,
    bound({"amount_cents": 1}),
    permits(replace(OBLIGATION, editor_may_approve=True)),
    members=FOUR,
    key=KEY,
    now=TEN + timedelta(minutes=1),
)
FREE_EDIT = EDIT.model_copy(update={"vote": EDIT.vote.model_copy(update={"digest": FREE.digest})})

MAY: dict[str, tuple[ApprovalRequest, SignedVote, tuple[SignedVote, ...]]] = {
    "to-another-member": (ONE, delegated(ONE, ANA, RAJ), ()),
    "where-others-have-voted": (TWO, delegated(TWO, ANA, RAJ), (voted(TWO, ZOE),)),
    "to-one-who-was-named-before": (TWO, delegated(TWO, ANA, RAJ), (delegated(TWO, ZOE, RAJ),)),
    "where-just-enough-stay": (THREE, delegated(THREE, ANA, RAJ), ()),
    "sent-again": (THREE, delegated(THREE, ANA, RAJ), (delegated(THREE, ANA, RAJ), voted(THREE, RAJ))),
    "after-voting-on-the-parent": (EDITED, delegated(EDITED, ANA, ZOE), (EDIT, voted(ONE, ANA), voted(ONE, ZOE))),
    "to-an-editor-who-may-approve": (FREE, delegated(FREE, ANA, RAJ), (FREE_EDIT,)),
}


@pytest.mark.parametrize(("row", "signed", "cast"), MAY.values(), ids=MAY)
def test_a_member_may_let_another_answer(
    row: ApprovalRequest, signed: SignedVote, cast: tuple[SignedVote, ...]
) -> None:
    check_delegation(row, signed.vote, cast, electorate=ALL)


MAY_NOT: dict[str, tuple[ApprovalRequest, SignedVote, tuple[SignedVote, ...], str]] = {
    "to-oneself": (ONE, delegated(ONE, ANA, ANA), (), "another person"),
    "to-oneself-in-capitals": (ONE, delegated(ONE, ANA, ANA.upper()), (), "another person"),
    "to-nobody": (ONE, voted(ONE, ANA, answer=Answer.DELEGATE), (), "may answer this request without it"),
    "to-the-requester": (ONE, delegated(ONE, ANA, "desk-agent"), (), "may answer this request without it"),
    "to-whom-it-acts-for": (ONE, delegated(ONE, ANA, "bob"), (), "may answer this request without it"),
    "to-somebody-else": (ONE, delegated(ONE, ANA, "eve"), (), "may answer this request without it"),
    "to-a-member-in-another-spelling": (
        ONE,
        delegated(ONE, ANA, RAJ.upper()),
        (),
        "may answer this request without it",
    ),
    "to-who-has-voted": (TWO, delegated(TWO, ANA, RAJ), (voted(TWO, RAJ),), "a delegate who has not voted"),
    "to-who-has-delegated": (
        ONE,
        delegated(ONE, ANA, RAJ),
        (delegated(ONE, RAJ, ZOE),),
        "may answer this request without it",
    ),
    "to-its-editor": (EDITED, delegated(EDITED, ANA, RAJ), (EDIT,), "may answer this request without it"),
    "after-voting": (TWO, delegated(TWO, ANA, RAJ), (voted(TWO, ANA),), "an approver who has not voted"),
    "again-to-another": (
        ONE,
        delegated(ONE, ANA, RAJ),
        (delegated(ONE, ANA, ZOE),),
        "an approver who has not voted",
    ),
    "a-second-step": (ONE, delegated(ONE, ANA, RAJ), (delegated(ONE, ZOE, ANA),), "one step"),
    "where-too-few-stay": (
        THREE,
        delegated(THREE, ANA, RAJ),
        (delegated(THREE, ZOE, LEA),),
        "3 people left who may agree, got too few",
    ),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("row", "signed", "cast", "message"), MAY_NOT.values(), ids=MAY_NOT)
def test_nobody_lets_another_answer_otherwise(
    row: ApprovalRequest, signed: SignedVote, cast: tuple[SignedVote, ...], message: str
) -> None:
    with pytest.raises(NotEligibleError, match=message) as caught:
        check_delegation(row, signed.vote, cast, electorate=ALL)
    assert caught.value.action == "answer it yourself, or name another member"


@pytest.mark.requirement("I7")
def test_who_delegates_and_the_delegate_count_as_one_person() -> None:
    votes = (delegated(TWO, ANA, RAJ), voted(TWO, RAJ))
    assert not quorum_met(TWO, votes, electorate=ALL)
    assert quorum_met(TWO, (*votes, voted(TWO, ZOE)), electorate=ALL)
