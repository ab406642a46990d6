"""A guarded turn against the tools that `MultiServerMCPClient.get_tools` gives, which open a session for each call."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from langchain_mcp_adapters.client import MultiServerMCPClient

from benchmarks._agents import CountingModel, run, unguarded
from benchmarks._measure import Rounds, Row, us
from benchmarks._sessions import SERVER_FILE, saver_of, session_over
from benchmarks.factory import Variant, guarded, opened

_TARGET: Final = 0.02
_TURNS: Final = 2  # a session takes about a second to open


async def documented(*, rounds: int) -> AsyncIterator[Row]:
    """Yield the ratio over stdio, in elapsed time: the servers it starts end before their CPU can be read."""
    if not rounds:
        return
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(session_over("stdio"))
        checkpointer = await stack.enter_async_context(saver_of("memory"))
        guard = await stack.enter_async_context(opened(session, Variant()))
        client = MultiServerMCPClient(
            {"records": {"transport": "stdio", "command": sys.executable, "args": [SERVER_FILE, "stdio"]}}
        )
        plain = unguarded(CountingModel(), await client.get_tools(), checkpointer=checkpointer)
        graph = guarded(guard, CountingModel(), checkpointer)
        spent = Rounds({"plain": partial(run, plain, _TURNS), "guarded": partial(run, graph, _TURNS)})
        await spent.run(rounds)
    ratio = spent.ratio("guarded", "plain", clock="wall_s")
    yield Row(
        "reads, spans, held session: against MultiServerMCPClient.get_tools, stdio",
        ratio.median,
        "ratio of wall per turn",
        _TARGET,
        ratio.interval,
        more={
            "guarded_us": us(spent.values("guarded", clock="wall_s")),
            "unguarded_us": us(spent.values("plain", clock="wall_s")),
        },
    )
