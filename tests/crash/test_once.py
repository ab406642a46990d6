"""One effect, whoever resumes, replays, forks, cancels or waits (DESIGN I4)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents.records import ClaimStatus
from guarded_agents.transport import SessionTransport, ToolReply
from tests.crash.conftest import DIED, LAPSED_S, App
from tests.crash.process import BALANCE, TOPUP, WIRE
from tests.support.bank import CONTEXT, POLICY, Bank, answers, asked, calls, model, thread, waiting

DOUBT = "not known whether"
IDEMPOTENT = POLICY.replace("bank/topup: {", "bank/topup: {idempotent: true, ")


class Gate(SessionTransport):
    """A transport whose calls wait until they are let through."""

    def __init__(self, sessions: Mapping[str, Any]) -> None:
        super().__init__(sessions)
        self.reached, self.opened, self.sent = asyncio.Event(), asyncio.Event(), 0

    async def call(self, *args: Any, **kwargs: Any) -> ToolReply:
        self.sent += 1
        self.reached.set()
        await self.opened.wait()
        return await super().call(*args, **kwargs)


@asynccontextmanager
async def gated(bank: Bank, *script: Any) -> AsyncIterator[tuple[Gate, Any, Any]]:
    async with bank.connected() as connected:
        gate = Gate(connected._sessions)
        async with bank.open(transport=gate) as guard:
            yield gate, guard, guard.agent(model(*script), checkpointer=InMemorySaver())


@asynccontextmanager
async def finished(bank: Bank) -> AsyncIterator[tuple[Any, Any]]:
    """Yield a run that is over: a read, an unattended effect and an approved one, then one more unattended."""
    more = ("topup", {"account": "C", "amount_cents": 7}, "more")
    async with gated(bank, calls(BALANCE, TOPUP, WIRE), calls(more)) as (gate, guard, agent):
        gate.opened.set()
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        await guard.resume(agent, bank.signed(guard, request))
        assert len(bank.effects()) == 3
        yield guard, agent


async def told(agent: Any) -> dict[str, str]:
    return answers((await agent.aget_state(thread())).values["messages"])


@pytest.mark.requirement("I4")
async def test_a_replay_from_any_checkpoint_runs_nothing_again_and_returns_what_was_stored(bank: Bank) -> None:
    async with finished(bank) as (guard, agent):
        before, effects = await told(agent), bank.effects()
        history = [snapshot async for snapshot in agent.aget_state_history(thread())]
        assert len(history) >= 8
        for snapshot in history:
            await agent.ainvoke(None, snapshot.config, context=CONTEXT)
            assert (await told(agent), bank.effects()) == (before, effects), snapshot.metadata
            assert (await agent.aget_state(thread())).next == ()
        assert guard.doubts == ()


@pytest.mark.requirement("I4")
async def test_a_fork_that_proposes_the_same_calls_gets_their_stored_outcomes(bank: Bank) -> None:
    async with finished(bank) as (_, agent):
        before, effects = await told(agent), bank.effects()
        history = [snapshot async for snapshot in agent.aget_state_history(thread())]
        forks = [snapshot for snapshot in history if snapshot.next == ("model",)]
        assert len(forks) >= 3
        for snapshot in forks:
            node = "screen_input" if len(snapshot.values["messages"]) == 1 else "execute"
            fork = await agent.aupdate_state(snapshot.config, {"messages": []}, as_node=node)
            await agent.ainvoke(None, fork, context=CONTEXT)
            assert (await told(agent), bank.effects()) == (before, effects)


@pytest.mark.requirement("I4")
async def test_a_fork_in_which_the_model_proposes_something_else_in_that_turn_runs_nothing(bank: Bank) -> None:
    other = ("topup", {"account": "EVIL", "amount_cents": 5}, "topup")
    proposed = [calls(TOPUP), calls(other)]
    chat = model(lambda _: proposed.pop(0))  # type: ignore[arg-type]
    async with bank.connected() as transport, bank.open(transport=transport) as guard:
        agent = guard.agent(chat, checkpointer=InMemorySaver())
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        history = [snapshot async for snapshot in agent.aget_state_history(thread())]
        [first] = [snapshot for snapshot in history if snapshot.next == ("model",) and snapshot.metadata["step"] == 1]
        await agent.ainvoke(None, first.config, context=CONTEXT)
        assert "Another call stands in its place" in (await told(agent))["topup"]
        assert bank.effects() == [("topup", "B", 5)]


@pytest.mark.requirement("I4")
async def test_two_resumes_at_once_in_one_process_run_the_effect_once_and_both_end(bank: Bank) -> None:
    async with gated(bank, calls(WIRE)) as (gate, guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        await guard.vote(bank.signed(guard, request))
        both = [asyncio.create_task(guard.wake(agent, "t1")) for _ in range(2)]
        await gate.reached.wait()
        gate.opened.set()
        await asyncio.gather(*both)
        assert gate.sent == 1
        assert bank.effects() == [("wire", "ACME", 900)]
        assert await told(agent) == {"wire": "wired 900 to ACME"}
        assert guard.doubts == ()


@pytest.mark.requirement("I4")
def test_two_resumes_at_once_in_two_processes_run_the_effect_once_and_both_end(app: App) -> None:
    app.run("wire", "ask", "vote")
    both = [app.start("wire", "wake", together=True) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        app.end(process)
    report = app.run("wire")  # what one of them reads, the other may still be writing
    assert app.bank.effects() == [("wire", "ACME", 900)]
    assert (report["told"], report["last"], report["next"]) == ({"wire": "wired 900 to ACME"}, "done", [])
    assert app.outcomes("wire") == ["executed"]


@pytest.mark.requirement("I4")
async def test_a_cancelled_run_settles_what_it_sent_and_the_next_look_shows_it(bank: Bank) -> None:
    async with gated(bank, calls(TOPUP)) as (gate, guard, agent):
        run = asyncio.create_task(agent.ainvoke(asked(), thread(), context=CONTEXT))
        await gate.reached.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        again = asyncio.create_task(agent.ainvoke(None, thread(), context=CONTEXT))
        gate.opened.set()
        await again
        assert await told(agent) == {"topup": "topped up B"}
        assert gate.sent == len(bank.effects()) == 1
        assert guard.doubts == ()


@pytest.mark.requirement("I4")
async def test_a_guard_that_is_closed_while_a_call_is_sent_leaves_a_doubt_and_no_open_claim(bank: Bank) -> None:
    async with gated(bank, calls(TOPUP)) as (gate, _, agent):
        run = asyncio.create_task(agent.ainvoke(asked(), thread(), context=CONTEXT))
        await gate.reached.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    gate.opened.set()
    async with gated(bank, calls(TOPUP)) as (_, guard, _):
        bank.clock.advance(LAPSED_S)
        assert len(guard.doubts) == 1


@pytest.mark.requirement("I4")
async def test_a_lapsed_lease_is_in_doubt_and_never_sent_again_and_a_late_success_is_recorded(bank: Bank) -> None:
    async with gated(bank, calls(TOPUP)) as (gate, guard, agent):
        run = asyncio.create_task(agent.ainvoke(asked(), thread(), context=CONTEXT))
        await gate.reached.wait()
        bank.clock.advance(LAPSED_S)
        [lapsed] = guard.doubts
        assert lapsed.status is ClaimStatus.SENDING
        for _ in range(3):
            await agent.ainvoke(None, thread(), context=CONTEXT)
            assert DOUBT in (await told(agent))["topup"]
        assert [claim.status for claim in guard.doubts] == ["in_doubt"]
        assert gate.sent == 1
        gate.opened.set()
        await run
        assert guard.store.claim(lapsed.key).status is ClaimStatus.EXECUTED  # type: ignore[union-attr]
        assert guard.doubts == ()
        assert gate.sent == len(bank.effects()) == 1


@pytest.mark.requirement("I4")
def test_an_idempotent_tool_is_sent_again_with_the_same_key(app: App) -> None:
    (app.bank.folder / "policy.yaml").write_text(IDEMPOTENT)
    app.run("topup", "ask", die=["transport.call:after:1"], ends=DIED)
    report = app.run("topup", "retry", at_s=LAPSED_S)
    assert report["told"] == {"topup": "topped up B"}
    assert report["doubts"] == ["sending"]
    assert report["doubts_left"] == []
    first, second = app.idempotency_keys()
    assert first == second
    assert len(first) == 32
    assert app.outcomes("topup") == ["in_doubt", "executed"]


@pytest.mark.requirement("I4")
def test_a_retry_that_dies_too_is_sent_once_more_by_each_wake_and_always_with_the_same_key(app: App) -> None:
    (app.bank.folder / "policy.yaml").write_text(IDEMPOTENT)
    app.run("topup", "ask", die=["store.settle:before:1"], ends=DIED)
    app.run("topup", "retry", die=["store.settle:before:1"], ends=DIED, at_s=LAPSED_S)
    app.run("topup", "retry", at_s=2 * LAPSED_S)
    assert len(set(app.idempotency_keys())) == 1
    assert len(app.idempotency_keys()) == 3
    assert app.outcomes("topup") == ["in_doubt", "in_doubt", "executed"]


@pytest.mark.requirement("I4")
async def test_equal_calls_in_one_turn_are_two_calls_and_a_replay_repeats_neither(bank: Bank) -> None:
    twice = calls(TOPUP, ("topup", TOPUP[1], "second"))
    async with gated(bank, twice) as (gate, _, agent):
        gate.opened.set()
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        assert bank.effects() == [("topup", "B", 5)] * 2
        async for snapshot in agent.aget_state_history(thread()):
            await agent.ainvoke(None, snapshot.config, context=CONTEXT)
        assert len(bank.effects()) == 2
        assert isinstance((await agent.aget_state(thread())).values["messages"][-1], AIMessage)
