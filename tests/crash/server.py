"""The bank's server, in which something dies: `python -m tests.crash.server DATABASE`.

BANK_DEATH is ``WHO:WHEN:TOOL``: the ``server`` or the ``client`` (whose process id is BANK_CLIENT) dies ``before`` the
tool runs or ``after`` it ran, before any reply. ``interrupt`` is Ctrl-C to the client, and the server then waits while
the file BANK_SLOW exists. BANK_DEATHS names a file that holds one letter for each death to come.
"""

import os
import signal
import sys
from pathlib import Path

import anyio
from mcp import types
from mcp.server.fastmcp import FastMCP

from tests.support import bank_server


def is_due(when: str, tool: str) -> bool:
    """Return whether somebody dies now, and count it."""
    deaths = Path(os.environ["BANK_DEATHS"])
    if os.environ["BANK_DEATH"].split(":")[1:] != [when, tool] or not deaths.read_text():
        return False
    deaths.write_text(deaths.read_text()[1:])
    return True


async def die() -> None:
    who, client = os.environ["BANK_DEATH"].split(":")[0], int(os.environ["BANK_CLIENT"])
    if who == "server":
        os._exit(1)
    os.kill(client, signal.SIGKILL if who == "client" else signal.SIGINT)
    slow = Path(os.environ["BANK_SLOW"])
    while who == "interrupt" and slow.exists():  # noqa: ASYNC110, ASYNC240 - another process removes the file
        await anyio.sleep(0.01)


def mortal(mcp: FastMCP) -> FastMCP:
    """Return the server with a handler of tools/call that dies, or kills, as it is told."""
    handlers = mcp._mcp_server.request_handlers
    handle = handlers[types.CallToolRequest]

    async def handle_mortally(request: types.CallToolRequest) -> types.ServerResult:
        with anyio.CancelScope(shield=True):  # it goes on when the client has gone: a server need not notice
            if is_due("before", request.params.name):
                await die()
            result = await handle(request)
            if is_due("after", request.params.name):
                await die()
            return result

    handlers[types.CallToolRequest] = handle_mortally
    return mcp


if __name__ == "__main__":
    database = Path(sys.argv[1])
    bank_server.connect(database).close()
    server = bank_server.build(database)
    (mortal(server) if "BANK_DEATH" in os.environ else server).run("stdio")
