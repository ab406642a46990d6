"""B9: whoever asks cannot approve; nor can somebody who is no approver, or who only says to be one."""

from typing import Any

import pytest
from langgraph.types import Command

from guarded_agents import Answer, ApprovalError, GuardContext, NotEligibleError, Principal, sign
from tests.support.bank import ANA, EVE, RAJ, TELLER, calls, thread
from tests.support.people import GLASS, TWO
from tests.support.siege import WIRE, Post, Siege

pytestmark = pytest.mark.requirement("B9", "I7")

SCRIPT = calls(("wire", WIRE))
SCOPES = ("bank:read", "bank:write")
REQUESTERS = {
    "herself": Principal(id=ANA, scopes=SCOPES),
    "somebody for her": TELLER.model_copy(update={"acting_for": ANA}),
    "somebody for her, spelled otherwise": TELLER.model_copy(update={"acting_for": "ANA@example.com"}),
}


def _try(post: Post, signed: Any) -> None:
    post.failing("call", "resume", signed)
    post.failing("call", "vote", signed)
    post.failing("run", Command(resume=signed.model_dump(mode="json")))
    post.failing("call", "wake", "t1")


@pytest.mark.parametrize("requester", REQUESTERS.values(), ids=REQUESTERS)
def test_the_requester_cannot_approve(siege: Siege, requester: Principal) -> None:
    post = siege.open(SCRIPT)
    post.ask(context=GuardContext(principal=requester))
    [request] = post.waits()
    signed = siege.signed(post, request, approver=ANA)
    with pytest.raises(NotEligibleError):
        post.call("resume", signed)
    _try(post, signed)
    assert post.waits() == [request]
    assert siege.effects == []
    siege.approve(post, request, approver=RAJ)
    assert siege.effects == [("wire", "ACME", 900)]


@pytest.mark.parametrize(
    "name", [EVE, "ANA@example.com", " ana@example.com", "\uff41na@example.com", "finance", "", "*"]
)
def test_nobody_but_a_member_counts(siege: Siege, name: str) -> None:
    """eve has a key on file and is in no group; the others are spellings of members, or no people."""
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    vote = post.guard.prepare(request, Answer.APPROVE, approver=name)
    for key in (ANA, EVE):
        signed = sign(vote, siege.bank.private_key(key))
        with pytest.raises(ApprovalError):
            post.call("resume", signed)
        _try(post, signed)
    assert post.waits() == [request]
    assert siege.effects == []


@pytest.mark.parametrize("key", [RAJ, EVE])
def test_a_vote_in_the_name_of_another_does_not_count(siege: Siege, key: str) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    signed = sign(post.guard.prepare(request, Answer.APPROVE, approver=ANA), siege.bank.private_key(key))
    with pytest.raises(ApprovalError):
        post.call("resume", signed)
    _try(post, signed)
    assert siege.effects == []


def test_one_person_is_one_vote(siege: Siege) -> None:
    siege.policy(("quorum: 1", "quorum: 2"))
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    for _ in range(3):
        _try(post, siege.signed(post, request))
    post.race(*[("resume", siege.signed(post, request)) for _ in range(3)])
    assert siege.effects == []
    siege.approve(post, request, approver=RAJ)
    assert siege.effects == [("wire", "ACME", 900)]


def test_a_request_that_does_not_exist_starts_no_thread(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    signed = siege.signed(post, post.waits()[0])
    bogus = signed.model_copy(update={"vote": signed.vote.model_copy(update={"request": "feedfeedfeed"})})
    with pytest.raises(ApprovalError):
        post.call("resume", bogus)
    assert post.state(thread("never")).values == {}
    for value in (bogus, signed):  # without the facade LangGraph does start the graph (FACTS F3), for nobody
        post.failing("run", Command(resume=value.model_dump(mode="json")), at=thread("never"))
    assert siege.effects == []


EMERGENCY = "Nobody else can be reached before the supplier closes."


@pytest.mark.parametrize("requester", REQUESTERS.values(), ids=REQUESTERS)
def test_the_requester_neither_breaks_the_glass_nor_is_a_delegate(siege: Siege, requester: Principal) -> None:
    (siege.bank.folder / "policy.yaml").write_text(GLASS)
    post = siege.open(SCRIPT)
    post.ask(context=GuardContext(principal=requester))
    [request] = post.waits()
    broken = siege.signed(post, request, Answer.BREAK_GLASS, approver=ANA, text=EMERGENCY)
    for signed in (broken, siege.signed(post, request, Answer.DELEGATE, approver=RAJ, delegate=ANA)):
        with pytest.raises(NotEligibleError):
            post.call("resume", signed)
        _try(post, signed)
    assert post.waits() == [request]
    assert siege.effects == []
    siege.approve(post, request, approver=RAJ)
    assert siege.effects == [("wire", "ACME", 900)]


@pytest.mark.parametrize("key", [ANA, RAJ])
def test_the_glass_is_not_broken_in_the_name_of_another(siege: Siege, key: str) -> None:
    (siege.bank.folder / "policy.yaml").write_text(GLASS)
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    vote = post.guard.prepare(request, Answer.BREAK_GLASS, approver=EVE, text=EMERGENCY)
    keys = [siege.bank.private_key(who, name) for who in (EVE, key) for name in ("key", "second.key")]
    for first, second in ((keys[0], keys[2]), (keys[2], keys[0]), (keys[2], keys[3]), (keys[0], keys[0])):
        signed = sign(vote, first, second=second)
        with pytest.raises(ApprovalError):
            post.call("resume", signed)
        _try(post, signed)
    assert siege.effects == []


def test_a_delegator_and_a_delegate_are_no_quorum_of_two(siege: Siege) -> None:
    (siege.bank.folder / "policy.yaml").write_text(TWO)
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    for signed in (
        siege.signed(post, request, Answer.DELEGATE, approver=ANA, delegate=RAJ),
        siege.signed(post, request, approver=RAJ),
        siege.signed(post, request, approver=ANA),
    ):
        _try(post, signed)
    assert post.waits() == [request]
    assert siege.effects == []
    siege.approve(post, request, approver=EVE)
    assert siege.effects == [("wire", "ACME", 900)]
