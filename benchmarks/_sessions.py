"""MCP sessions that are held open, and checkpointers, by name."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from benchmarks._server import make_server
from guarded_agents.testing import InMemoryServer

TRANSPORTS: Final = ("memory", "stdio", "http")
SAVERS: Final = ("memory", "sqlite")
SERVER_FILE: Final = str(Path(__file__).with_name("_server.py"))
_START_TRIES: Final = 400
_START_PAUSE_S: Final = 0.05


@asynccontextmanager
async def session_over(transport: str, *, structured: bool = True) -> AsyncIterator[ClientSession]:
    """Open one initialised session: in memory, over stdio, or over streamable HTTP on the loopback."""
    if transport == "memory":
        async with InMemoryServer(make_server(structured=structured)) as session:
            yield session
    elif transport == "stdio":
        parameters = StdioServerParameters(command=sys.executable, args=[SERVER_FILE, "stdio"], env=dict(os.environ))
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            yield session
    else:
        async with (
            _http_server() as url,
            streamable_http_client(url) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            yield session


@asynccontextmanager
async def saver_of(kind: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """Open a checkpointer: in memory, or SQLite in a temporary file as its documentation has it."""
    if kind == "memory":
        yield InMemorySaver()
        return
    with tempfile.TemporaryDirectory(prefix="guarded-agents-bench-") as folder:
        async with AsyncSqliteSaver.from_conn_string(str(Path(folder) / "checkpoints.db")) as saver:
            await saver.setup()
            yield saver


@asynccontextmanager
async def _http_server() -> AsyncIterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = await asyncio.create_subprocess_exec(sys.executable, SERVER_FILE, "http", str(port))
    try:
        for _ in range(_START_TRIES):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 0.1).close()
                break
            await asyncio.sleep(_START_PAUSE_S)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()
