"""A permit is consumed once, whatever runs again (DESIGN I4)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from guarded_agents.errors import NoReplyError
from guarded_agents.transport import ToolReply
from tests.support.bank import CONTEXT, POLICY, calls, model
from tests.support.ledger import Ledger, Sent, at_desk

TOPUP = ("topup", {"account": "A", "amount_cents": 5})
WIRE = ("wire", {"account": "A", "amount_cents": 5})
IDEMPOTENT = POLICY.replace(
    "bank/topup: {scope: bank:write, effect: write,", "bank/topup: {scope: bank:write, effect: write, idempotent: true,"
)
KEY = "guarded_agents/idempotency_key"


def silent(sent: Sent) -> ToolReply:
    raise NoReplyError(f"bank/{sent.tool}", expected="a reply", got="none", action="look")


@pytest.mark.requirement("I4")
@pytest.mark.requirement("G1")
async def test_a_replay_from_any_checkpoint_sends_nothing_twice_and_tells_the_stored_outcome(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(TOPUP, ("balance", {"account": "A"}))) as desk:
        before = await desk.ask()
        history = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)]
        for snapshot in history:
            await desk.agent.ainvoke(None, snapshot.config, context=CONTEXT)
            assert (await desk.told())["call-0"] == before["call-0"] == "did topup"
        assert desk.server.effects.count(("topup", 5)) == 1


@pytest.mark.requirement("I4")
@pytest.mark.requirement("G1")
async def test_a_model_that_repeats_its_call_ids_gets_each_of_its_calls_run(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(TOPUP), calls(TOPUP)) as desk:
        await desk.ask()
        assert desk.server.effects == [("topup", 5), ("topup", 5)]
        assert len({sent.meta[KEY] for sent in desk.server.sent}) == 2


@pytest.mark.requirement("I4")
async def test_equal_calls_of_one_turn_are_each_run_once(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(TOPUP, TOPUP)) as desk:
        await desk.ask()
        history = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)]
        await desk.agent.ainvoke(None, history[-1].config, context=CONTEXT)
        assert desk.server.effects == [("topup", 5), ("topup", 5)]


@pytest.mark.requirement("I4")
@pytest.mark.requirement("B5")
@pytest.mark.requirement("G6")
async def test_of_concurrent_resumes_one_sends_and_the_others_are_told_its_outcome(tmp_path: Path) -> None:
    server, arrived, go_on = Ledger(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await go_on.wait()

    server.before = wait
    async with at_desk(tmp_path, calls(WIRE), server=server) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(desk.signed(request))
        resumes = [asyncio.ensure_future(desk.wake()) for _ in range(3)]
        await arrived.wait()
        go_on.set()
        await asyncio.gather(*resumes)
        assert server.effects == [("wire", 5)]
        assert (await desk.told())["call-0"] == "did wire"


@pytest.mark.requirement("I4")
@pytest.mark.requirement("G6")
async def test_a_caller_that_gives_up_does_not_undo_what_is_on_its_way(tmp_path: Path) -> None:
    server, arrived, go_on = Ledger(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await go_on.wait()

    server.before = wait
    async with at_desk(tmp_path, calls(TOPUP), server=server) as desk:
        run = asyncio.ensure_future(desk.ask())
        await arrived.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        go_on.set()
        await asyncio.gather(*desk.guard._parts.endings._door._sending)
        await desk.agent.ainvoke(None, desk.config, context=CONTEXT)
        assert server.effects == [("topup", 5)]
        assert (await desk.told())["call-0"] == "did topup"
        assert desk.guard.doubts == ()


@pytest.mark.requirement("I4")
async def test_a_missing_reply_is_in_doubt_and_never_sent_again(tmp_path: Path) -> None:
    server = Ledger(reply=silent)
    async with at_desk(tmp_path, calls(TOPUP), server=server) as desk:
        assert "not known whether" in (await desk.ask())["call-0"]
        first = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)][-1]
        server.reply = Ledger().reply
        await desk.agent.ainvoke(None, first.config, context=CONTEXT)
        assert server.effects == [("topup", 5)]
        assert "not known whether" in (await desk.told())["call-0"]
        assert [claim.status for claim in desk.guard.doubts] == ["in_doubt"]


@pytest.mark.requirement("I4")
async def test_a_tool_declared_idempotent_is_sent_again_under_the_same_key(tmp_path: Path) -> None:
    server = Ledger(reply=silent)
    async with at_desk(tmp_path, calls(TOPUP), server=server, policy=IDEMPOTENT) as desk:
        await desk.ask()
        first = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)][-1]
        server.reply = Ledger().reply
        await desk.agent.ainvoke(None, first.config, context=CONTEXT)
        assert len({sent.meta[KEY] for sent in server.sent}) == 1
        assert len(server.sent) == 2
        assert (await desk.told())["call-0"] == "did topup"


@pytest.mark.requirement("I4")
async def test_an_error_of_an_effect_is_in_doubt_unless_the_server_promises_atomicity(tmp_path: Path) -> None:
    failing = Ledger(reply=lambda _: ToolReply("no", None, is_error=True))
    atomic = POLICY.replace(
        "bank/refuse: {scope: bank:write, effect: write}",
        "bank/refuse: {scope: bank:write, effect: write, atomic: true}",
    )
    script = calls(("refuse", {"account": "A"}), TOPUP)
    async with at_desk(tmp_path, script, server=failing, policy=atomic) as desk:
        told = await desk.ask()
        assert told["call-0"].splitlines()[1:-1] == ["no"]  # between the delimiters of an untrusted result
        assert "not known whether" in told["call-1"]


@pytest.mark.requirement("I4")
@pytest.mark.requirement("G5")
async def test_a_fork_of_a_waiting_thread_runs_its_call_once_over_both(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        asked: Any = {"messages": [HumanMessage("please", id="m1")]}
        await desk.agent.ainvoke(asked, desk.config, context=CONTEXT)
        [request] = await desk.waiting()
        history = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)]
        await desk.approve(request)
        for snapshot in history:
            await desk.agent.ainvoke(None, snapshot.config, context=CONTEXT)
        assert desk.server.effects == [("wire", 5)]


@pytest.mark.requirement("I4")
async def test_another_proposal_in_the_same_turn_is_refused_after_the_first_was_sent(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(TOPUP)) as desk:
        await desk.ask()
        other = desk.guard.agent(
            model(calls(("topup", {"account": "B", "amount_cents": 6}))), checkpointer=desk.agent.checkpointer
        )
        first = [
            snapshot async for snapshot in desk.agent.aget_state_history(desk.config) if snapshot.next == ("model",)
        ][-1]
        await other.ainvoke(None, first.config, context=CONTEXT)
        assert desk.server.effects == [("topup", 5)]
