"""B8: no way into the graph is ungated: sync and async, each stream mode, events, batches, nested and wrapped."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from tests.support.bank import CONTEXT, Bank, asked, calls, model, thread, waiting
from tests.support.siege import HAPPENED_TOPUP, HAPPENED_WIRE, TOPUP, WIRE, Post, Siege

pytestmark = pytest.mark.requirement("B8", "I1", "I6")

SCRIPT = calls(("wire", WIRE), ("topup", TOPUP), ("drop_table", {"account": "A"}), ("unknown", {}))
MODES = ("values", "updates", "messages", "custom", "debug", "tasks", "checkpoints")
Entry = Callable[[Post], Any]

WITH = {"context": CONTEXT}
BOTH: dict[str, Entry] = {
    "invoke": lambda post: post.call("invoke", asked(), thread(), **WITH),
    "batch": lambda post: post.call("batch", [asked()], [thread()], **WITH),
    "with_config": lambda post: _through(post, post.agent.with_config(tags=["x"])),
    "with_retry": lambda post: _through(post, post.agent.with_retry(stop_after_attempt=2)),
    "in a chain": lambda post: _through(post, post.agent | RunnableLambda(lambda told: told)),
} | {
    f"stream {mode}": lambda post, mode=mode: post.call("stream", asked(), thread(), stream_mode=mode, **WITH)  # type: ignore[misc]
    for mode in MODES
}
ASYNC: dict[str, Entry] = {
    "astream_events": lambda post: post.call("stream_events", asked(), thread(), version="v2", **WITH),
}


def _through(post: Post, runnable: Any) -> Any:
    return Post(post.line, post.guard, runnable, post.wires).call("invoke", asked(), thread(), **WITH)


@pytest.mark.parametrize("entry", [*BOTH.values(), *ASYNC.values()], ids=[*BOTH, *ASYNC])
def test_every_entry_passes_the_gate(siege: Siege, entry: Entry) -> None:
    if entry in ASYNC.values() and siege.line.mode == "sync":
        return  # these exist as async methods only
    post = siege.open(SCRIPT)
    entry(post)
    assert siege.effects == [HAPPENED_TOPUP]
    assert len(post.waits()) == 1
    siege.approve(post)
    assert siege.effects == [HAPPENED_TOPUP, HAPPENED_WIRE]


@pytest.mark.parametrize(
    "options",
    [
        {"durability": "async"},
        {"durability": "exit"},
        {"interrupt_before": ["execute", "approval"]},
        {"interrupt_after": ["model"]},
        {"interrupt_before": "*"},
        {"context": None},
        {"context": {"principal": {"id": "root"}}},
    ],
    ids=str,
)
def test_no_option_of_a_run_opens_the_gate(siege: Siege, options: dict[str, Any]) -> None:
    post = siege.open(SCRIPT)
    post.failing("call", "invoke", asked(), thread(), **(WITH | options))
    for _ in range(4):
        post.failing("call", "invoke", None, thread(), **(WITH | options))
    assert siege.effects in ([], [HAPPENED_TOPUP])


@pytest.mark.parametrize(
    "configurable",
    [
        {"__pregel_durability": "sync"},
        {"__pregel_resuming": True},
        {"__pregel_resume_map": {"x": "approve"}},
        {"principal": "root", "guard_requester": {"principal": {"id": "root"}}},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_no_configurable_key_opens_the_gate(siege: Siege, configurable: dict[str, Any]) -> None:
    post = siege.open(SCRIPT)
    config = {"configurable": thread()["configurable"] | configurable}
    post.failing("ask", at=config)
    post.failing("run", at=config)
    assert siege.effects in ([], [HAPPENED_TOPUP])


def test_without_a_thread_nothing_with_an_effect_runs(siege: Siege) -> None:
    from tests.support.siege import Wires

    wires = Wires(siege.line.transport())
    post = siege.open(wires=wires, build=lambda guard: guard.agent(model(SCRIPT)))
    post.call("invoke", asked(), **WITH)
    assert siege.effects == []


def test_a_plain_with_guards_a_synchronous_application_on_its_own_servers(bank: Bank) -> None:
    with SqliteSaver.from_conn_string(str(bank.checkpoints)) as saver, bank.open() as guard:
        agent = guard.agent(model(SCRIPT), checkpointer=saver)
        list(agent.stream(asked(), thread(), context=CONTEXT))
        assert bank.effects() == [HAPPENED_TOPUP]
        guard.resume_sync(agent, bank.signed(guard, waiting(agent.get_state(thread()))[0]))
        assert bank.effects() == [HAPPENED_TOPUP, HAPPENED_WIRE]


async def test_an_async_with_guards_an_asynchronous_application_on_its_own_servers(bank: Bank) -> None:
    async with bank.open() as guard:
        agent = guard.agent(model(SCRIPT), checkpointer=InMemorySaver())
        async for _ in agent.astream(asked(), thread(), context=CONTEXT):
            pass
        assert bank.effects() == [HAPPENED_TOPUP]
        await guard.resume(agent, bank.signed(guard, waiting(await agent.aget_state(thread()))[0]))
        assert bank.effects() == [HAPPENED_TOPUP, HAPPENED_WIRE]
