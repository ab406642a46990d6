"""A world as an MCP server over stdio: ``python -m benchmarks.dojo._server MODULE:NAME SOCKET``.

MODULE:NAME is a callable that returns the world. The harness reaches it besides MCP over the Unix socket SOCKET, which
no agent knows of: it starts episodes there and has them judged.
"""

import asyncio
import json
import sys
import warnings
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import TextContent, Tool
from pydantic import JsonValue

from benchmarks.dojo._world import World

Content = tuple[list[TextContent], dict[str, JsonValue]]


def make_server(world: World) -> Server[object, object]:
    """Return the MCP server whose tools act on the environment of *world*."""
    server = Server[object, object]("dojo")

    async def list_tools() -> list[Tool]:
        return list(world.tools())

    async def call_tool(name: str, arguments: dict[str, JsonValue]) -> Content:
        text, structured = world.call(name, arguments)
        return [TextContent(type="text", text=text)], structured

    server.list_tools()(list_tools)  # type: ignore[no-untyped-call]  # the SDK's decorators are partly untyped
    server.call_tool()(call_tool)
    return server


def obey(world: World, order: dict[str, str | None]) -> object:
    """Do what one line of the control channel says and return the answer. Raises KeyError for an unknown word."""
    match order["do"]:
        case "cases":
            return world.cases()
        case "begin":
            return world.begin(str(order["task"]), order["attack"])
        case "attack":
            return world.attack()
        case "judge":
            return world.judge(str(order["answer"]))
        case unknown:
            raise KeyError(unknown)


async def serve(world: World, socket: Path) -> None:
    """Serve *world* over stdio until the client is gone, and the control channel at *socket*."""

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(obey(world, json.loads(line))).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()  # after an error too: the harness waits for an answer

    server = make_server(world)
    async with await asyncio.start_unix_server(control, str(socket)), stdio_server() as (read, write):
        with redirect_stdout(sys.stderr):  # some checks of the suites print, and standard output is the protocol's
            await server.run(read, write, server.create_initialization_options())


def main(name: str, socket: str) -> None:
    """Serve the world that *name* (MODULE:NAME) makes."""
    warnings.simplefilter("ignore")  # the suites' own deprecations, which say nothing here
    module, _, maker = name.partition(":")
    asyncio.run(serve(getattr(import_module(module), maker)(), Path(socket)))


if __name__ == "__main__":
    main(*sys.argv[1:])
