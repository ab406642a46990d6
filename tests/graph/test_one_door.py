"""No tool runs but through the door (DESIGN I1)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import CachePolicy, Command, RetryPolicy, Send
from opentelemetry.trace import INVALID_SPAN

from guarded_agents import GuardedState, UngatedToolError
from guarded_agents.nodes import Door
from guarded_agents.nodes._services import denied
from guarded_agents.records import Permit, Reason
from tests.support.bank import CONTEXT, calls
from tests.support.ledger import at_desk

BALANCE = ("balance", {"account": "A"})
DURABLE: Any = {"configurable": {"thread_id": "t1", "__pregel_durability": "sync"}}


async def permitted(desk: Any) -> Permit:
    """Return the permit of a proposed read, as ``execute`` makes it."""
    await desk.ask()
    task = {"call": {"name": "balance", "args": {"account": "A"}, "id": "call-0"}, "turn": 1, "occurrence": 0}
    standing = desk.guard._parts.endings.derive(task, DURABLE, None)
    permit: Permit = desk.guard._services.permit(standing.facts, standing.call, standing.judgement, None)
    return permit


OTHER_CALLS: dict[str, Any] = {
    "other arguments": lambda call: replace(call, canonical=b'{"account":"B"}', arguments={"account": "B"}),
    "another thread": lambda call: replace(call, key=call.key._replace(thread="t2")),
    "another entry": lambda call: replace(call, key=call.key._replace(entry="e")),
    "another turn": lambda call: replace(call, key=call.key._replace(turn=2)),
    "another digest": lambda call: replace(call, key=call.key._replace(digest="0" * 64)),
    "another occurrence": lambda call: replace(call, key=call.key._replace(occurrence=1)),
    "another tool": lambda call: replace(call, tool="bank/wire"),
}


@pytest.mark.requirement("I1")
@pytest.mark.requirement("I2")
@pytest.mark.parametrize("other", OTHER_CALLS.values(), ids=OTHER_CALLS)
async def test_the_door_sends_no_call_that_its_permit_was_not_made_for(tmp_path: Path, other: Any) -> None:
    async with at_desk(tmp_path, calls(BALANCE)) as desk:
        permit, door = await permitted(desk), Door(desk.guard._services)
        desk.server.sent.clear()
        outcome = await door.execute_once(other(permit.call), permit, span=INVALID_SPAN)
        assert (outcome.reason, desk.server.sent) == (Reason.GUARD_FAILED, [])
        await door.execute_once(permit.call, permit, span=INVALID_SPAN)
        assert [sent.tool for sent in desk.server.sent] == ["balance"]


FALSE_PERMITS: dict[str, Any] = {
    "a deny": lambda permit: replace(permit, decision=denied(Reason.NO_RULE)),
    "another tool's": lambda permit: replace(permit, tool=permit.tool._replace(name="wire")),
    "another server's": lambda permit: replace(permit, tool=permit.tool._replace(server="mint")),
}


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("false", FALSE_PERMITS.values(), ids=FALSE_PERMITS)
async def test_the_door_takes_no_permit_but_one_that_permits_this_tool(tmp_path: Path, false: Any) -> None:
    async with at_desk(tmp_path, calls(BALANCE)) as desk:
        permit = await permitted(desk)
        desk.server.sent.clear()
        outcome = await Door(desk.guard._services).execute_once(permit.call, false(permit), span=INVALID_SPAN)
        assert (outcome.reason, desk.server.sent) == (Reason.GUARD_FAILED, [])


@pytest.mark.requirement("I1")
@pytest.mark.requirement("B8")
async def test_a_tool_object_that_the_application_holds_refuses_to_run(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as desk:
        for held in desk.guard.tools:
            with pytest.raises(UngatedToolError):
                held.invoke({"account": "A", "amount_cents": 1})
            with pytest.raises(UngatedToolError):
                await held.ainvoke({"account": "A", "amount_cents": 1})
        assert len(desk.guard.tools) == 6
        assert desk.server.sent == []


@pytest.mark.requirement("I1")
@pytest.mark.parametrize("is_async", [False, True], ids=["invoke", "ainvoke"])
async def test_a_stock_tool_node_cannot_run_them_either(tmp_path: Path, is_async: bool) -> None:
    async with at_desk(tmp_path) as desk:
        builder = StateGraph(GuardedState)
        builder.add_node("tools", ToolNode(desk.guard.tools))
        builder.add_edge(START, "tools")
        graph = builder.compile()
        asked_for: Any = {"messages": [calls(BALANCE)]}
        with pytest.raises(UngatedToolError):
            _ = await graph.ainvoke(asked_for) if is_async else graph.invoke(asked_for)
        assert desk.server.sent == []


PROPOSALS = {
    "a read": BALANCE,
    "an effect": ("topup", {"account": "A", "amount_cents": 1}),
    "one that needs an approval": ("wire", {"account": "A", "amount_cents": 1}),
}


@pytest.mark.requirement("I1")
@pytest.mark.requirement("I3")
@pytest.mark.requirement("G2")
@pytest.mark.parametrize("node", ["execute", "approval", "refuse"])
@pytest.mark.parametrize("proposed", PROPOSALS.values(), ids=PROPOSALS)
async def test_a_task_that_somebody_else_sends_to_a_node_runs_nothing(
    tmp_path: Path, proposed: tuple[str, dict[str, Any]], node: str
) -> None:
    async with at_desk(tmp_path, AIMessage("hello")) as desk:
        await desk.ask()
        call = {"name": proposed[0], "args": proposed[1], "id": "forged", "type": "tool_call"}
        forged = Command(goto=[Send(node, {"call": call, "turn": 1, "occurrence": 0})])
        await desk.agent.ainvoke(forged, desk.config, context=CONTEXT)
        assert desk.server.sent == []
        assert await desk.waiting() == []
        assert "not on record as proposed" in (await desk.told())["forged"]


@tool
def drain(account: str) -> str:
    """Drain an account."""
    return account


def with_stock_tool_node(builder: Any) -> None:
    builder.add_node("tools", ToolNode([drain]))
    builder.add_edge("tools", "model")


def with_retry(builder: Any) -> None:
    builder.nodes["execute"] = replace(builder.nodes["execute"], retry_policy=RetryPolicy())


def with_cache(builder: Any) -> None:
    builder.nodes["approval"] = replace(builder.nodes["approval"], cache_policy=CachePolicy())


def without_door(builder: Any) -> None:
    del builder.nodes["refuse"]


CHANGES = {
    "a stock tool node": (with_stock_tool_node, "runs tool drain ungated"),
    "a retry policy": (with_retry, "retry policy"),
    "a cache policy": (with_cache, "cache policy"),
    "a missing node": (without_door, "is missing"),
}


@pytest.mark.requirement("I1")
@pytest.mark.parametrize(("change", "problem"), CHANGES.values(), ids=CHANGES)
async def test_lint_finds_what_walks_around_the_door(tmp_path: Path, change: Any, problem: str) -> None:
    async with at_desk(tmp_path) as desk:
        assert desk.guard.lint(desk.agent) == ()
        builder = desk.agent.builder
        change(builder)
        assert [problem in str(finding) for finding in desk.guard.lint(builder)] == [True]


@pytest.mark.requirement("I1")
async def test_lint_wants_a_checkpointer_and_every_key_of_the_state(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as desk:
        assert [found.where for found in desk.guard.lint(desk.agent.builder.compile())] == ["graph"]
        bare = StateGraph(dict)
        assert {found.where for found in desk.guard.lint(bare)} >= {"state key guard_calls", "node execute"}


MALFORMED: dict[str, Any] = {
    "nothing": {},
    "no call": {"turn": 1, "occurrence": 0},
    "a call that is none": {"call": "topup", "turn": 1, "occurrence": 0},
    "a call without arguments": {"call": {"name": "topup", "id": "x"}, "turn": 1, "occurrence": 0},
    "a name that is none": {"call": {"name": ["topup"], "args": {}, "id": "x"}, "turn": 1, "occurrence": 0},
    "a name that cannot be spelt": {"call": {"name": "\ud800", "args": {}, "id": "x"}, "turn": 1, "occurrence": 0},
    "a turn that is none": {"call": {"name": "topup", "args": {}, "id": "x"}, "turn": "1", "occurrence": 0},
}


@pytest.mark.requirement("I1")
@pytest.mark.requirement("G4")
@pytest.mark.parametrize("node", ["execute", "refuse", "approval"])
@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED)
async def test_a_task_that_is_none_kills_no_run(tmp_path: Path, payload: Any, node: str) -> None:
    async with at_desk(tmp_path, AIMessage("hello")) as desk:
        await desk.ask()
        await desk.agent.ainvoke(Command(goto=[Send(node, payload)]), desk.config, context=CONTEXT)
        assert desk.server.sent == []
        assert (await desk.state()).next == ()
