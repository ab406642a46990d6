"""What ``langgraph.json`` names: a factory, for a served graph gets its checkpointer from the server.

The run lies in ``.runs/records_clerk`` and is prepared when it is missing. ``GUARDED_AGENTS_MODEL``
(``provider:model``) names a real model; without it the script drives the graph.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from graphs._models import chat_model
from graphs._run import ROOT, Run
from graphs.records_clerk.run import prepare, reopen
from graphs.records_clerk.script import scripted_model
from graphs.records_clerk.servers import servers
from guarded_agents import Guard
from guarded_agents.state import GuardContext, GuardedState

Graph = CompiledStateGraph[GuardedState, GuardContext, GuardedState, GuardedState]
FOLDER: Final = ROOT / ".runs" / "records_clerk"


@asynccontextmanager
async def graph(config: RunnableConfig) -> AsyncIterator[Graph]:
    """Yield the guarded records clerk without a checkpointer; its servers run until the context ends."""
    del config
    run = await asyncio.to_thread(_open_run)  # files are not for the server's event loop
    model = chat_model(os.environ.get("GUARDED_AGENTS_MODEL"), scripted=scripted_model())
    async with Guard.open(run.policy, lockfile=run.lockfile, store=run.store, servers=servers(run)) as guard:
        yield guard.agent(model)


def _open_run() -> Run:
    return reopen(FOLDER) if FOLDER.exists() else prepare(FOLDER, now=datetime.now(UTC))


__all__ = ["graph"]
