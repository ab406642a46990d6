"""B5: the same approval resumed twice, raced or replayed; and a permitted effect, which needs none, likewise."""

from typing import Any

import pytest
from langgraph.types import Command

from guarded_agents import Answer, RequestClosedError, UnknownRequestError
from tests.support.bank import RAJ, asked, calls, thread
from tests.support.siege import HAPPENED_TOPUP, HAPPENED_WIRE, TOPUP, WIRE, Post, Siege

pytestmark = pytest.mark.requirement("B5", "I4")

BOTH = calls(("wire", WIRE), ("topup", TOPUP))
ONCE = [HAPPENED_TOPUP, HAPPENED_WIRE]
MODES = ["values", "updates", "messages", "custom", "debug", "tasks", "checkpoints"]


def _approved(siege: Siege) -> Post:
    post = siege.open(BOTH)
    post.ask()
    siege.approve(post)
    assert siege.effects == ONCE
    return post


def test_a_second_resume_with_the_same_vote_does_not_run_the_call_again(siege: Siege) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    signed = siege.signed(post, request)
    post.call("resume", signed)
    with pytest.raises(UnknownRequestError):
        post.call("resume", signed)
    with pytest.raises(RequestClosedError):
        post.call("vote", siege.signed(post, request, approver=RAJ))
    post.call("wake", "t1")
    post.run(Command(resume=signed.model_dump(mode="json")))
    assert siege.effects == ONCE


def test_a_vote_and_many_wakes_at_once_run_it_once(siege: Siege) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    post.call("vote", siege.signed(post, request))
    post.race(*[("invoke", None, thread())] * 4)
    assert siege.effects == ONCE


def test_two_approvers_at_once_run_it_once(siege: Siege) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    votes = [siege.signed(post, request, approver=who) for who in ("ana@example.com", RAJ)]
    post.race(*[("resume", signed) for signed in votes * 2])
    assert siege.effects == ONCE


def test_an_approval_raced_by_a_rejection_runs_it_at_most_once_and_only_if_the_approval_came_first(
    siege: Siege,
) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    votes = [siege.signed(post, request), siege.signed(post, request, Answer.REJECT, approver=RAJ)]
    post.race(*[("resume", signed) for signed in votes])
    standing = post.guard.store.request(request)
    assert standing is not None
    assert siege.effects == (ONCE if standing.status == "consumed" else [HAPPENED_TOPUP])


def test_raced_signed_resume_values_run_it_once(siege: Siege) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    value = siege.signed(post, request).model_dump(mode="json")
    post.race(*[("invoke", Command(resume=value), thread())] * 3)
    assert siege.effects == ONCE


def test_a_replay_from_every_checkpoint_runs_nothing_again(siege: Siege) -> None:
    post = _approved(siege)
    history = post.history()
    assert len(history) >= 6
    assert history[-1].next == ("__start__",)
    for snapshot in history:
        post.failing("run", at=snapshot.config)
        assert siege.effects == ONCE, snapshot.next


def test_a_replay_without_a_context_runs_nothing_again(siege: Siege) -> None:
    post = _approved(siege)
    for snapshot in post.history():
        post.failing("run", at=snapshot.config, context=None)
    assert siege.effects == ONCE


def test_a_replay_by_a_restarted_process_runs_nothing_again(siege: Siege) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    saver = InMemorySaver()
    first = siege.open(BOTH, saver=saver)
    first.ask()
    siege.approve(first)
    second = siege.open(BOTH, saver=saver)  # remembers nothing of the first but what store and saver hold
    for snapshot in second.history():
        second.failing("run", at=snapshot.config)
    assert siege.effects == ONCE


def test_a_fork_at_every_checkpoint_runs_nothing_again(siege: Siege) -> None:
    post = _approved(siege)
    nodes = ["screen_input", "model", "execute", "approval", "refuse"]
    for snapshot in post.history():
        for node in nodes:
            if post.failing("update", {}, at=snapshot.config, as_node=node) is None:
                post.failing("run")
                assert siege.effects == ONCE, (snapshot.next, node)


def test_a_fork_before_the_answer_shares_the_one_permit(siege: Siege) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    before = post.history()
    siege.approve(post, request)
    for snapshot in before:
        post.failing("run", at=snapshot.config)
        post.failing("call", "resume", siege.signed(post, request, approver=RAJ))
    assert siege.effects == ONCE


@pytest.mark.parametrize("mode", [*MODES, MODES])
def test_a_stream_of_any_mode_runs_each_once(siege: Siege, mode: Any) -> None:
    post = siege.open(BOTH)
    from tests.support.bank import CONTEXT

    post.call("stream", asked(), thread(), context=CONTEXT, stream_mode=mode, subgraphs=True)
    assert siege.effects == [HAPPENED_TOPUP]
    [request] = post.waits()
    post.call("vote", siege.signed(post, request))
    for _ in range(2):
        post.call("stream", None, thread(), stream_mode=mode, subgraphs=True)
    for snapshot in post.history():
        post.failing("call", "stream", None, snapshot.config, context=CONTEXT, stream_mode=mode)
    assert siege.effects == ONCE


def test_equal_calls_in_one_turn_and_in_two_turns_are_calls_of_their_own(siege: Siege) -> None:
    """What is counted is the call, not its text: a second one is asked for and approved by itself."""
    post = siege.open(calls(("topup", TOPUP, "a"), ("topup", TOPUP, "b")), calls(("topup", TOPUP, "a")))
    post.ask()
    assert siege.effects == [HAPPENED_TOPUP] * 3
    for snapshot in post.history():
        post.failing("run", at=snapshot.config)
    assert siege.effects == [HAPPENED_TOPUP] * 3


def test_new_input_while_it_waits_takes_the_approval_away(siege: Siege) -> None:
    post = siege.open(BOTH)
    post.ask()
    [request] = post.waits()
    signed = siege.signed(post, request)
    old = post.state().config
    post.ask("something else")
    with pytest.raises((UnknownRequestError, RequestClosedError)):
        post.call("resume", signed)
    post.failing("run", at=old)
    post.failing("run", Command(resume=signed.model_dump(mode="json")), at=old)
    assert siege.effects == [HAPPENED_TOPUP] * 2  # one for each thing that the user wrote
