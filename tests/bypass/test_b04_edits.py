"""B4: an edit is a new call. It cannot switch the tool, go beyond the policy, or inherit an approval."""

from typing import Any

import pytest
from langgraph.types import Command

from guarded_agents import Answer, ApprovalError, GuardError, NotEligibleError, Vote, sign
from tests.support.bank import ANA, NOON, RAJ, calls
from tests.support.siege import HAPPENED_WIRE, LARGE, WIRE, Siege

pytestmark = pytest.mark.requirement("B4", "I8")

SCRIPT = calls(("wire", WIRE))
SMALLER = {"account": "ACME", "amount_cents": 800}
HAPPENED_SMALLER = ("wire", "ACME", 800)
BEYOND: dict[str, Any] = {
    "amount beyond the condition": WIRE | {"amount_cents": 100_001},
    "amount of nothing": WIRE | {"amount_cents": 0},
    "amount as text": WIRE | {"amount_cents": "900"},
    "amount as a float": WIRE | {"amount_cents": 900.5},
    "amount that is missing": {"account": "ACME"},
    "no arguments": {},
    "a reserved name": WIRE | {"config": {}},
    "a number with no one spelling": WIRE | {"amount_cents": 2**60},
    "a number that is none": WIRE | {"amount_cents": float("nan")},
    "the same arguments": WIRE,
}


@pytest.mark.parametrize("arguments", BEYOND.values(), ids=BEYOND)
def test_an_edit_beyond_the_policy_is_refused_and_the_request_waits_on(siege: Siege, arguments: dict[str, Any]) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    with pytest.raises(GuardError):
        siege.signed(post, request, Answer.EDIT, arguments=arguments)
    for approver in (ANA, RAJ):
        vote = _by_hand(post.guard.store.request(request), arguments, approver)
        with pytest.raises(GuardError):
            post.call("resume", sign(vote, siege.bank.private_key(approver)))
    post.failing("call", "wake", "t1")
    assert post.waits() == [request]
    assert siege.effects == []


def _by_hand(standing: Any, arguments: dict[str, Any], approver: str) -> Vote:
    import json

    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return Vote(
        request=standing.request.id,
        digest=standing.request.digest,
        approver=approver,
        answer=Answer.EDIT,
        arguments=text,
        at=NOON,
        nonce="0" * 32,
    )


def test_an_edit_cannot_name_another_tool(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    value = siege.signed(post, request, Answer.EDIT, arguments=SMALLER).model_dump(mode="json")
    for extra in ({"name": "drop_table"}, {"tool": "bank/drop_table"}, {"call": {"name": "topup"}}):
        post.failing("run", Command(resume=value | extra))
        post.failing("run", Command(resume=value | {"vote": value["vote"] | extra}))
    post.failing("run", Command(resume={"type": "edit", "edited_action": {"name": "topup", "args": SMALLER}}))
    assert post.waits() == [request]
    assert siege.effects == []


def test_a_batch_of_edits_does_not_move_a_vote_to_another_call(siege: Siege) -> None:
    """LangChain answers by position: an edit of the first call ran as the second tool."""
    post = siege.open(calls(("wire", WIRE), ("wire", SMALLER)))
    post.ask()
    first, second = post.waits()
    signed = siege.signed(post, first)
    moved = signed.model_copy(update={"vote": signed.vote.model_copy(update={"request": second})})
    with pytest.raises(ApprovalError):
        post.call("resume", moved)
    with pytest.raises(ApprovalError):  # an edit into the sibling, which stands already
        post.call("resume", siege.signed(post, first, Answer.EDIT, arguments=SMALLER))
    assert siege.effects == []


def test_an_edited_call_inherits_no_vote(siege: Siege) -> None:
    siege.policy(("quorum: 1", "quorum: 2"), ("raj@example.com]}", "raj@example.com, eve@example.com]}"))
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    post.call("vote", siege.signed(post, request))  # ana agrees with 900
    edited = post.call("resume", siege.signed(post, request, Answer.EDIT, arguments=SMALLER, approver=RAJ))
    post.failing("call", "wake", "t1")
    post.failing("call", "resume", siege.signed(post, edited.request.id))
    assert edited.status == "pending"
    assert siege.effects == []


def test_the_editor_alone_does_not_approve_what_the_editor_wrote(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    edited = post.call("resume", siege.signed(post, request, Answer.EDIT, arguments=SMALLER))
    post.failing("call", "resume", siege.signed(post, edited.request.id))
    post.failing("call", "wake", "t1")
    assert siege.effects == []
    siege.approve(post, edited.request.id, approver=RAJ)
    assert siege.effects == [HAPPENED_SMALLER]


def test_what_was_edited_away_does_not_run(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    late = siege.signed(post, request, approver=RAJ)
    edited = post.call("resume", siege.signed(post, request, Answer.EDIT, arguments=SMALLER))
    with pytest.raises(ApprovalError):
        post.call("vote", late)
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)
    assert siege.effects == []
    post.failing("call", "resume", siege.signed(post, edited.request.id, approver=RAJ))
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)
    assert siege.effects == [HAPPENED_SMALLER]
    assert HAPPENED_WIRE not in siege.effects


def test_an_edit_of_an_edit_is_checked_again(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    edited = post.call("resume", siege.signed(post, request, Answer.EDIT, arguments=SMALLER))
    with pytest.raises(NotEligibleError):
        siege.signed(post, edited.request.id, Answer.EDIT, arguments=LARGE | {"amount_cents": 100_001})
    again = post.call("resume", siege.signed(post, edited.request.id, Answer.EDIT, arguments=LARGE, approver=RAJ))
    assert siege.effects == []
    post.call("resume", siege.signed(post, again.request.id))
    assert siege.effects == [("wire", "mallory", 99_999)]
    with pytest.raises(ApprovalError):
        post.call("vote", siege.signed(post, request, approver=RAJ))
