"""A client session in memory, to a server that answers from a function: for answers no proper server gives."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import anyio
from mcp import ClientSession
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp.types import ErrorData, JSONRPCError, JSONRPCMessage, JSONRPCRequest, JSONRPCResponse

Answer = dict[str, object] | ErrorData | None
"""A result, an error, or None for no answer at all."""

HELLO: dict[str, object] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "serverInfo": {"name": "scripted", "version": "1"},
}


class HangUpError(Exception):
    """Raised by an answer: the server closes its side."""


@contextlib.asynccontextmanager
async def scripted_session(
    answer: Callable[[str, dict[str, object]], Answer], *, read_timeout: timedelta | None = None
) -> AsyncIterator[ClientSession]:
    """Yield a session whose requests *answer* (method, params) answers; ``initialize`` is answered for it."""
    async with (
        create_client_server_memory_streams() as ((read, write), (server_read, server_write)),
        anyio.create_task_group() as group,
    ):

        async def serve() -> None:
            with contextlib.suppress(HangUpError):
                async for message in server_read:
                    assert isinstance(message, SessionMessage)
                    request = message.message.root
                    if isinstance(request, JSONRPCRequest):
                        given = (
                            HELLO if request.method == "initialize" else answer(request.method, request.params or {})
                        )
                        if given is not None:
                            await server_write.send(SessionMessage(JSONRPCMessage(_worded(request.id, given))))
            await server_write.aclose()

        group.start_soon(serve)
        async with ClientSession(read, write, read_timeout_seconds=read_timeout) as session:
            yield session
        group.cancel_scope.cancel()


def _worded(request_id: str | int, given: dict[str, object] | ErrorData) -> JSONRPCError | JSONRPCResponse:
    if isinstance(given, ErrorData):
        return JSONRPCError(jsonrpc="2.0", id=request_id, error=given)
    return JSONRPCResponse(jsonrpc="2.0", id=request_id, result=given)
