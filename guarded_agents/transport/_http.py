"""The HTTP client under a streamable HTTP session."""

from collections.abc import AsyncIterator
from typing import Final

import httpx
import orjson
from mcp.types import CONNECTION_CLOSED

_CONNECT_TIMEOUT_S: Final = 30.0


def http_client(
    headers: dict[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
    auth: httpx.Auth | None = None,
    *,
    trust_env: bool = False,
) -> httpx.AsyncClient:
    """Return a client for one session. With *trust_env* it takes proxies from the environment."""
    # Reading has no time-out: the adapter's own would end the whole session, with every call that waits on it,
    # for one slow tool. Each call has a deadline of its own.
    del timeout
    limit = httpx.Timeout(_CONNECT_TIMEOUT_S, read=None)
    hooks = {"response": [_notice_the_end]}
    return httpx.AsyncClient(headers=headers, timeout=limit, auth=auth, trust_env=trust_env, event_hooks=hooks)


async def _notice_the_end(response: httpx.Response) -> None:
    """Make the end of an event stream the answer to the request that it was opened for.

    Where a server dies after it sent the headers, the MCP client only logs that the stream ended, and
    the call would wait for its deadline.
    """
    kind = response.headers.get("content-type", "")
    encoded = "content-encoding" in response.headers
    if response.request.method != "POST" or encoded or not kind.lower().startswith("text/event-stream"):
        return
    asked = orjson.loads(response.request.content)  # the MCP client wrote it: one JSON-RPC message
    if "id" in asked and isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Ending(response.stream, asked["id"])


class _Ending(httpx.AsyncByteStream):
    """An event stream that ends with a JSON-RPC error; the client reads no further than the answer, if there is one."""

    def __init__(self, stream: httpx.AsyncByteStream, request_id: object) -> None:
        self._stream = stream
        error = {"code": CONNECTION_CLOSED, "message": "Connection closed"}
        message = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})
        self._end = b"\n\nevent: message\ndata: " + message + b"\n\n"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        resumable = False
        try:
            async for chunk in self._stream:
                # Events with an id can be asked for again on a new connection, and the client does so.
                resumable = resumable or b"id:" in chunk
                yield chunk
        except httpx.TransportError:
            if resumable:
                raise
        if not resumable:
            yield self._end

    async def aclose(self) -> None:
        await self._stream.aclose()
