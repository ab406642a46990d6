"""A refund desk that reaches no server, with one refund that waits: for tests of the command line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import StateGraph

from graphs._run import Run
from graphs.refund_desk.run import PRINCIPAL, SCOPES, prepare, reopen
from guarded_agents import Guard, GuardContext, GuardedState, Principal
from guarded_agents.catalog import load_lockfile
from guarded_agents.testing import ScriptedModel
from guarded_agents.transport import ReviewedTransport

REFUND = {"order_id": "1001", "amount_cents": 12900, "note": "broken \u202eno\x1b[2J"}
CALL = {"type": "tool_call", "id": "c1", "name": "refund", "args": REFUND}


@asynccontextmanager
async def saved(config: RunnableConfig) -> AsyncIterator[Any]:
    """Yield the desk over the files beside the store that the config names."""
    run = reopen(Path(config["configurable"]["guard_store"]).parent)
    reviewed = ReviewedTransport(load_lockfile(run.lockfile.read_bytes(), source="tools.lock"))
    model = ScriptedModel(script=(AIMessage("", tool_calls=[CALL]), AIMessage("done")))
    async with (
        AsyncSqliteSaver.from_conn_string(str(run.checkpoints)) as saver,
        Guard.open(run.policy, lockfile=run.lockfile, store=run.store, transport=reviewed) as guard,
    ):
        yield guard.agent(model, checkpointer=saver)


def waiting_desk(folder: Path) -> Run:
    """Return a run in *folder* whose thread ``desk`` waits for the approval of a refund."""

    async def ask() -> None:
        config: RunnableConfig = {"configurable": {"thread_id": "desk", "guard_store": str(run.store)}}
        context = GuardContext(principal=Principal(id=PRINCIPAL, scopes=SCOPES))
        async with saved(config) as agent:
            await agent.ainvoke({"messages": [HumanMessage("refund it")]}, config, context=context)

    run = prepare(folder, now=datetime.now(UTC))
    asyncio.run(ask())
    return run


no_function = 7


def unsaved(config: RunnableConfig) -> Any:
    """Return a graph that nothing is saved of."""
    builder = StateGraph(GuardedState)
    builder.add_node("model", lambda state: {})
    builder.set_entry_point("model")
    return builder.compile()


def effects(folder: Path) -> object:
    """Return what no application would, and a table still has to show."""
    return [1, {}]
