"""What a schema says of formats: asserted of what is sent, not of what is answered (ADR 012)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session as connect

from guarded_agents import Guard, GuardContext, Principal
from guarded_agents.catalog import dump_lockfile, make_lock, of_observed
from guarded_agents.testing import FixedClock
from guarded_agents.transport import SessionTransport
from tests.support.bank import NOON, answers, asked, calls, model, thread

POLICY = """\
version: 1
principals:
  clerk: {scopes: [diary:read]}
tools:
  diary/opening: {scope: diary:read, effect: read, result: {integrity: trusted, confidentiality: internal}}
  diary/since: {scope: diary:read, effect: read, result: {integrity: trusted, confidentiality: internal}}
"""
CONTEXT = GuardContext(principal=Principal(id="clerk", scopes=("diary:read",)))
NAIVE = "2026-01-05T10:00:00"  # RFC 3339 asks for an offset


def diary(asked_since: list[datetime]) -> FastMCP:
    mcp = FastMCP("diary", log_level="ERROR")

    @mcp.tool()
    def opening() -> dict[str, datetime]:
        """Return when the shop opens, by its own clock."""
        return {"at": datetime.fromisoformat(NAIVE)}

    @mcp.tool()
    def since(moment: datetime) -> str:
        """Return what stands in the diary since a moment."""
        asked_since.append(moment)
        return "nothing"

    return mcp


@asynccontextmanager
async def asking(folder: Path, proposed: AIMessage, asked_since: list[datetime]) -> AsyncIterator[Any]:
    async with connect(diary(asked_since)._mcp_server) as session:
        transport = SessionTransport({"diary": session})
        tools = await transport.list_tools("diary", principal="")
        assert "date-time" in str(tools[0].output_schema)  # what the server declares, and its answer does not keep
        (folder / "tools.lock").write_bytes(dump_lockfile(make_lock([of_observed(tool) for tool in tools])))
        (folder / "policy.yaml").write_text(POLICY)
        opener = Guard.open(
            folder / "policy.yaml",
            lockfile=folder / "tools.lock",
            store=folder / "guard.db",
            transport=transport,
            now=FixedClock(NOON),
        )
        async with opener as guard:
            agent = guard.agent(model(proposed), checkpointer=InMemorySaver())
            yield (await agent.ainvoke(asked(), thread(), context=CONTEXT))["messages"]


async def test_a_moment_without_a_zone_that_a_real_server_answers_arrives(tmp_path: Path) -> None:
    async with asking(tmp_path, calls(("opening", {})), []) as messages:
        assert NAIVE in answers(messages)["call-0"]
        assert [message.status for message in messages if message.type == "tool"] == ["success"]


@pytest.mark.requirement("I6")
async def test_a_moment_without_a_zone_is_not_sent_to_a_real_server(tmp_path: Path) -> None:
    asked_since: list[datetime] = []
    async with asking(tmp_path, calls(("since", {"moment": NAIVE})), asked_since) as messages:
        assert [message.status for message in messages if message.type == "tool"] == ["error"]
    assert asked_since == []
