"""B7: an approval for (bob, 1) covers that call, on that thread, of that principal and tenant, and nothing else."""

from typing import Any

import pytest
from langgraph.types import Command, Send

from guarded_agents import ApprovalError, GuardContext, Principal
from tests.support.bank import CONTEXT, TELLER, asked, calls, thread
from tests.support.siege import LARGE, WIRE, Post, Siege, forged

pytestmark = pytest.mark.requirement("B7", "I2", "I4")

BOB = {"account": "bob", "amount_cents": 1}
HAPPENED_BOB = ("wire", "bob", 1)
ANOTHER = thread("t2")
POLICY = ("  ana@example.com:", "  mallory: {scopes: [bank:read, bank:write]}\n  ana@example.com:")
MALLORY = GuardContext(principal=Principal(id="mallory", scopes=("bank:read", "bank:write")))
OTHERS = {
    "principal": MALLORY,
    "tenant": GuardContext(principal=TELLER, tenant="other"),
    "acting for another": GuardContext(principal=TELLER.model_copy(update={"acting_for": "mallory"})),
}


def _approved(siege: Siege, *script: Any) -> tuple[Post, Any]:
    """Return a thread t1 whose wire to bob was approved but not woken yet."""
    siege.policy(POLICY)
    post = siege.open(*script)
    post.ask()
    signed = siege.signed(post, post.waits()[0])
    return post, signed


def _is_large(messages: Any) -> Any:
    return calls(("wire", LARGE if "mallory" in str(messages[-1].content) else BOB))


def test_a_vote_cannot_be_moved_to_another_request(siege: Siege) -> None:
    post, signed = _approved(siege, _is_large)
    post.run(asked("to mallory"), at=ANOTHER, context=MALLORY)
    [other] = post.waits(ANOTHER)
    digest = post.guard.store.request(other).request.digest  # type: ignore[union-attr]
    for change in ({"request": other}, {"request": other, "digest": digest}):
        moved = signed.model_copy(update={"vote": signed.vote.model_copy(update=change)})
        with pytest.raises(ApprovalError):
            post.call("resume", moved)
        post.failing("run", Command(resume=moved.model_dump(mode="json")), at=ANOTHER)
    post.failing("run", Command(resume=signed.model_dump(mode="json")), at=ANOTHER)
    assert ("wire", "mallory", 99_999) not in siege.effects


def test_an_approval_does_not_cover_the_next_call_of_that_tool(siege: Siege) -> None:
    """No answer means "always": the next turn asks again, for other arguments and for the same."""
    post, signed = _approved(siege, calls(("wire", BOB)), calls(("wire", LARGE)), calls(("wire", BOB)))
    post.call("resume", signed)
    assert siege.effects == [HAPPENED_BOB]
    assert len(post.waits()) == 1
    post.failing("call", "vote", signed)
    post.call("wake", "t1")
    post.ask("again")
    assert siege.effects == [HAPPENED_BOB]
    assert len(post.waits()) == 1


@pytest.mark.parametrize(
    "payload",
    [
        forged("wire", LARGE),
        forged("wire", BOB | {"account": "mallory"}),
        forged("wire", BOB, occurrence=1),
        forged("wire", BOB, turn=2),
        forged("wire", {"amount_cents": 1, "account": "bob", "memo": ""}),
    ],
    ids=["other arguments", "other account", "another occurrence", "another turn", "one more argument"],
)
def test_another_call_of_the_thread_does_not_use_the_approval(siege: Siege, payload: Any) -> None:
    post, signed = _approved(siege, calls(("wire", BOB)))
    post.call("vote", signed)
    for node in ("execute", "approval"):
        post.failing("run", Command(goto=Send(node, payload)))
    assert siege.effects in ([], [HAPPENED_BOB])
    post.failing("run")
    assert siege.effects in ([], [HAPPENED_BOB])


@pytest.mark.parametrize("node", ["execute", "approval"])
def test_another_thread_does_not_use_the_approval(siege: Siege, node: str) -> None:
    post, signed = _approved(siege, calls(("wire", BOB)))
    post.call("vote", signed)
    values = post.state().values
    post.failing("update", values, at=ANOTHER, as_node="model")
    post.failing("run", at=ANOTHER)
    post.failing("run", Command(goto=Send(node, forged("wire", BOB))), at=ANOTHER)
    post.failing("run", asked(), at=ANOTHER)  # proposes the same: asked for by itself
    assert siege.effects == []
    assert len(post.waits(ANOTHER)) == 1


@pytest.mark.parametrize("context", OTHERS.values(), ids=OTHERS)
def test_somebody_else_does_not_use_the_approval(siege: Siege, context: GuardContext) -> None:
    post, signed = _approved(siege, calls(("wire", BOB)))
    post.call("vote", signed)
    first = post.history()[-1]
    post.failing("run", at=first.config, context=context)  # the same input, by somebody else
    assert siege.effects == []
    post.failing("run", asked("please"), context=context)
    assert siege.effects == []
    waiting = post.waits()
    assert all(post.guard.store.request(request).request.requester == context.principal for request in waiting)  # type: ignore[union-attr]


@pytest.mark.parametrize("context", [*OTHERS.values(), None], ids=[*OTHERS, "nobody"])
def test_a_resume_under_another_context_is_still_the_recorded_requesters(
    siege: Siege, context: GuardContext | None
) -> None:
    """What runs was asked for by the teller and is recorded so, whoever wakes the thread."""
    post, signed = _approved(siege, calls(("wire", BOB)), calls(("wire", LARGE)))
    post.call("vote", signed)
    post.run(context=context)
    assert siege.effects == [HAPPENED_BOB]
    for request in post.waits():
        assert post.guard.store.request(request).request.requester == CONTEXT.principal  # type: ignore[union-attr]
    assert WIRE["account"] not in str(siege.effects)
