"""B12: a time-out, a missing vote or a sweep is never an approval."""

from typing import Any

import pytest
from langgraph.types import Command

from guarded_agents import Answer, ApprovalExpiredError, PolicyError
from tests.support.bank import EVE, RAJ, calls
from tests.support.people import ESCALATES, GLASS
from tests.support.siege import HAPPENED_WIRE, WIRE, Post, Siege

pytestmark = pytest.mark.requirement("B12", "I6", "I7")

SCRIPT = calls(("wire", WIRE))
DECIDE_S, EXECUTE_S = 4 * 3_600, 15 * 60


def _press(siege: Siege, post: Post, *signed: Any) -> None:
    """Try everything that lets a thread go on."""
    for vote in signed:
        post.failing("call", "resume", vote)
        post.failing("run", Command(resume=vote.model_dump(mode="json")))
    post.failing("call", "wake", "t1")
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)


@pytest.mark.parametrize("late_s", [0, 1, 100 * 86_400])
def test_a_request_that_nobody_answered_in_time_is_over(siege: Siege, late_s: float) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    early = siege.signed(post, request)  # signed in time, delivered too late
    siege.bank.clock.advance(DECIDE_S + late_s)
    with pytest.raises(ApprovalExpiredError):
        post.call("resume", early)
    _press(siege, post, early, siege.signed(post, request, approver=RAJ))
    assert siege.effects == []


def test_a_request_that_was_swept_is_over(siege: Siege) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    siege.bank.clock.advance(DECIDE_S)
    post.line.wait(post.guard.store.expire(request, now=siege.bank.clock()))
    siege.bank.clock.advance(-DECIDE_S)  # a clock that is set back opens nothing again
    _press(siege, post, siege.signed(post, request))
    assert siege.effects == []


@pytest.mark.parametrize(("waited_s", "happens"), [(EXECUTE_S - 1, [HAPPENED_WIRE]), (EXECUTE_S, []), (DECIDE_S, [])])
def test_an_approval_is_used_in_time_or_not_at_all(siege: Siege, waited_s: float, happens: list[Any]) -> None:
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    post.call("vote", siege.signed(post, request))
    siege.bank.clock.advance(waited_s)
    _press(siege, post)
    assert siege.effects == happens


def test_a_quorum_that_is_not_met_is_no_approval(siege: Siege) -> None:
    siege.policy(("quorum: 1", "quorum: 2"))
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    vote = siege.signed(post, request)
    _press(siege, post, vote, vote)
    siege.bank.clock.advance(DECIDE_S)
    _press(siege, post, siege.signed(post, request, approver=RAJ))
    assert siege.effects == []


@pytest.mark.parametrize(
    "option",
    [
        "on_timeout: approve",
        "default: approve",
        "quorum: 0",
        "quorum: -1",
        "decide_within: 0s",
        "timeout_action: allow",
    ],
)
def test_the_policy_has_no_option_that_turns_it_round(siege: Siege, option: str) -> None:
    name = option.partition(":")[0]
    present = {"quorum": "quorum: 1", "decide_within": "decide_within: 4h"}
    old = present.get(name, "execute_within: 15m")
    siege.policy((old, option if name in present else f"{old}, {option}"))
    with pytest.raises(PolicyError):
        siege.open(SCRIPT)
    assert siege.effects == []


def test_neither_the_time_of_escalation_nor_a_sweep_approves(siege: Siege) -> None:
    (siege.bank.folder / "policy.yaml").write_text(ESCALATES)
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    for at_s in (30 * 60, DECIDE_S - 30 * 60 - 1):
        siege.bank.clock.advance(at_s)
        for _ in range(2):
            post.call("sweep")
            post.call("wake", "t1")
        assert post.waits() == [request]
    siege.bank.clock.advance(1)
    assert post.call("sweep").expired == (request,)
    _press(siege, post, siege.signed(post, request, approver=RAJ))
    assert siege.effects == []


def test_a_full_queue_refuses_and_approves_nothing(siege: Siege) -> None:
    path = siege.bank.folder / "policy.yaml"
    path.write_text(path.read_text() + "queue: {per_tenant: 1}\n")
    post = siege.open(calls(("wire", WIRE), ("wire", WIRE | {"account": "B"}), ("wire", WIRE | {"account": "C"})))
    post.ask()
    [request] = post.waits()
    siege.bank.clock.advance(DECIDE_S)
    _press(siege, post, siege.signed(post, request))
    assert siege.effects == []


def test_a_broken_glass_is_used_in_time_or_not_at_all(siege: Siege) -> None:
    (siege.bank.folder / "policy.yaml").write_text(GLASS)
    post = siege.open(SCRIPT)
    post.ask()
    [request] = post.waits()
    why = "Nobody else can be reached before the supplier closes."
    post.call("vote", siege.signed(post, request, Answer.BREAK_GLASS, approver=EVE, text=why))
    siege.bank.clock.advance(5 * 60)  # sooner over than the rule's own time
    _press(siege, post)
    assert siege.effects == []
