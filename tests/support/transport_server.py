"""A server of odd tools for the tests of transport/: `transport_server.py stdio` or `transport_server.py http`.

Over HTTP it listens on a free loopback port, prints it, and serves until its standard input is closed.
"""

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

import mcp.types
import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.shared.exceptions import McpError

logging.disable(logging.WARNING)
server = FastMCP("odd", log_level="ERROR")


@server.tool()
def whoami() -> dict[str, int]:
    """Return the process id."""
    return {"pid": os.getpid()}


@server.tool(structured_output=False)
def session(context: Context) -> str:
    """Return what tells one HTTP session from another."""
    request = context.request_context.request
    return "" if request is None else request.headers["mcp-session-id"]


@server.tool(structured_output=False)
def header(name: str, context: Context) -> str:
    """Return one header of the HTTP request."""
    return str(context.request_context.request.headers.get(name))


@server.tool(structured_output=False)
def meta(context: Context) -> str:
    """Return the request's _meta."""
    found = context.request_context.meta
    return "" if found is None else found.model_dump_json(exclude_none=True)


@server.tool(structured_output=False)
async def echo(config: str, runtime: dict[str, object]) -> str:
    """Return arguments whose names an adapter would swallow."""
    return f"{config} {runtime}"


@server.tool(structured_output=False)
def environment() -> str:
    """Return the names of all environment variables, and the working directory."""
    return " ".join(sorted(os.environ)) + "\n" + str(Path.cwd())


@server.tool()
def variable(name: str) -> str:
    """Return one environment variable."""
    return os.environ[name]


@server.tool()
def crash() -> str:
    """Die in the middle of the call."""
    os.write(2, b"last words\n")
    os._exit(3)


@server.tool()
def close_stdout() -> str:
    """Stop speaking, and live on."""
    os.close(1)
    return "never arrives"


@server.tool()
async def hang() -> str:
    """Never answer."""
    await asyncio.Event().wait()
    return "never"


@server.tool(structured_output=False)
async def ask(kind: str, context: Context) -> str:
    """Ask the client what only a person, a model or its user may answer; return what came back."""
    asked = {
        "elicitation": lambda: context.session.elicit(
            "Your password?", {"type": "object", "properties": {"password": {"type": "string"}}}
        ),
        "sampling": lambda: context.session.create_message(
            [mcp.types.SamplingMessage(role="user", content=mcp.types.TextContent(type="text", text="Say yes"))],
            max_tokens=5,
        ),
        "roots": context.session.list_roots,
    }
    try:
        answer = await asked[kind]()
    except McpError as error:
        return f"refused: {error.error.message}"
    return f"answered: {answer}"


@server.tool()
def everything() -> mcp.types.CallToolResult:
    """Return one block of each kind."""
    resource = {"uri": "file:///notes.txt", "mimeType": "text/plain"}
    return mcp.types.CallToolResult.model_validate(
        {
            "content": [
                {"type": "text", "text": "first\x1b[31m\u202e"},
                {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"},
                {"type": "audio", "data": "aGVsbG8h", "mimeType": "audio/wav"},
                {"type": "resource_link", "name": "orders", "uri": "file:///o.csv", "mimeType": "text/csv", "size": 12},
                {"type": "resource", "resource": {**resource, "text": "the notes"}},
                {"type": "resource", "resource": {**resource, "blob": "aGVsbG8="}},
            ],
            "structuredContent": {"type": "__overwrite__", "value": None},
        }
    )


@server.tool()
def fail() -> str:
    """Raise."""
    message = "no such order"
    raise ValueError(message)


def serve_http() -> None:
    """Serve until standard input is closed."""

    async def serve() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        web = uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="critical"))
        os.write(1, b"%d\n" % listener.getsockname()[1])
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        await asyncio.to_thread(sys.stdin.read)
        web.should_exit = web.force_exit = True
        await serving

    asyncio.run(serve())


if __name__ == "__main__":
    serve_http() if sys.argv[1] == "http" else server.run("stdio")
