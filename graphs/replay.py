"""One bypass, shown: an approved refund is replayed from the checkpoint before it, as a retry or a crash would.

`python -m graphs.replay` approves one refund in two agents over the same MCP server, replays both, and prints the
refunds that the server then holds: LangChain's human-in-the-loop middleware beside a guarded agent. Needs the
extra ``langchain``.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.sessions import StdioConnection
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs._run import Run
from graphs.refund_desk.run import PRINCIPAL, SCOPES, effects, prepare
from graphs.refund_desk.servers import servers
from guarded_agents import Answer, Guard, GuardContext, Principal, load_private_key, sign
from guarded_agents.testing import ScriptedModel

REFUND: Final = {"order_id": "1001", "amount_cents": 6000, "note": "broken on arrival"}
INPUT: Final[Any] = {"messages": [{"role": "user", "content": "Refund 60.00 EUR for order 1001."}]}
THREAD: Final[RunnableConfig] = {"configurable": {"thread_id": "1"}}


def model(tool: str) -> ScriptedModel:
    """Return a model that proposes the refund, and then says that it is done."""
    return ScriptedModel(
        script=(AIMessage("", tool_calls=[{"name": tool, "args": REFUND, "id": "call-1"}]), AIMessage("done"))
    )


async def with_langchain(run: Run) -> tuple[int, int]:
    """Return the number of refunds after the approval, and after the replay, without a guard."""
    client = MultiServerMCPClient({"payments": _connection(servers(run)["payments"])})
    async with client.session("payments") as session:
        agent = create_agent(
            model("refund"),
            await load_mcp_tools(session),
            middleware=[HumanInTheLoopMiddleware(interrupt_on={"refund": True})],
            checkpointer=InMemorySaver(),
        )
        await agent.ainvoke(INPUT, THREAD)
        await agent.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
        before = len(effects(run.folder)["refunds"])
        async for past in agent.aget_state_history(THREAD):
            if past.next == ("tools",):
                await agent.ainvoke(None, past.config)
                break
        return before, len(effects(run.folder)["refunds"])


async def with_guard(run: Run) -> tuple[int, int]:
    """Return the same two numbers for a guarded agent, replayed from every checkpoint that it has."""
    principal = Principal(id=PRINCIPAL, scopes=SCOPES)
    async with Guard.open(run.policy, lockfile=run.lockfile, store=run.store, servers=servers(run)) as guard:
        agent = guard.agent(model("refund"), checkpointer=InMemorySaver())
        await agent.ainvoke(INPUT, THREAD, context=GuardContext(principal=principal))
        waiting = (await agent.aget_state(THREAD)).interrupts[0].value["request_id"]
        approver = run.approvers[0]
        vote = guard.prepare(waiting, Answer.APPROVE, approver=approver)
        await guard.resume(agent, sign(vote, load_private_key(run.key(approver).read_bytes())))
        before = len(effects(run.folder)["refunds"])
        for past in [past async for past in agent.aget_state_history(THREAD)]:
            await agent.ainvoke(None, past.config, context=GuardContext(principal=principal))
        return before, len(effects(run.folder)["refunds"])


async def main() -> None:
    """Print both."""
    print(f"{'refunds held by the server':<32}{'after the approval':>20}{'after the replay':>18}")
    with tempfile.TemporaryDirectory() as folder:
        now = datetime.now(UTC)
        for name, play in (("LangChain's approval", with_langchain), ("guarded_agents", with_guard)):
            before, after = await play(prepare(Path(folder) / play.__name__, now=now))
            print(f"{name:<32}{before:>20}{after:>18}")


def _connection(server: Mapping[str, object]) -> StdioConnection:
    return cast("StdioConnection", {"transport": "stdio", **server})


if __name__ == "__main__":
    asyncio.run(main())
