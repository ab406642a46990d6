"""One request to an open MCP session, and what its failures prove."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

import httpx
import mcp.types
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from mcp import ClientSession, McpError
from pydantic import JsonValue, RootModel

from guarded_agents._provider import warn
from guarded_agents.errors import NoReplyError, TransportError
from guarded_agents.transport._protocol import ObservedTool, ToolReply
from guarded_agents.transport._reply import observed_of, reply_of

MAX_PAGES: Final = 1_000
MAX_TOOLS: Final = 100_000
_TERMINATED: Final = 32600  # sic: what the client makes of HTTP 404 for a session id
_NOT_RUN: Final = {
    mcp.types.METHOD_NOT_FOUND: "unknown method",
    mcp.types.INVALID_PARAMS: "invalid parameters",
    # The server no longer knows the session and MUST answer so (MCP 2025-11-25, basic/transports, session management).
    _TERMINATED: "the session had ended",
}
_NO_REPLY: Final = (int(httpx.codes.REQUEST_TIMEOUT), mcp.types.CONNECTION_CLOSED)  # what the client itself raises
_log = logging.getLogger(__name__)


class _Result(RootModel[dict[str, object]]):
    """A result as it came. The client's own models raise on one unknown content block, and cost more."""


class NothingSentError(Exception):
    """The session was closed before the request was handed to it."""


def _nothing() -> None:
    """Do nothing: nobody asked to be told that the session is lost."""


async def call_tool(
    session: ClientSession,
    tool: str,
    arguments: Mapping[str, JsonValue],
    *,
    subject: str,
    meta: Mapping[str, str],
    waiting: asyncio.Timeout,
    lost: Callable[[], None] = _nothing,
) -> ToolReply:
    """Send one tools/call, wait until *waiting* expires, and return the reply.

    *lost* is told where the session has turned out to be of no more use. Raises NothingSentError where
    the session was closed before, and NoReplyError for everything after.
    """
    params = mcp.types.CallToolRequestParams.model_validate({"name": tool, "arguments": arguments, "_meta": meta})
    # `session.call_tool` would validate the answer with a validator built anew each time, which costs more
    # than all the rest (FACTS F19); the door does it with one built once. The models are not
    # validated a second time on their way into one another.
    request = mcp.types.CallToolRequest.model_construct(method="tools/call", params=params)
    due = waiting.when()
    try:
        async with waiting:
            result = await session.send_request(mcp.types.ClientRequest.model_construct(request), _Result)
    except McpError as error:
        return _refused(error.error.code, subject, lost)
    except (ClosedResourceError, BrokenResourceError):
        raise NothingSentError from None
    except EndOfStream:
        raise no_reply(subject, "a lost connection") from None
    except TimeoutError:
        # Whoever noticed that the connection is gone has moved the deadline up.
        raise no_reply(subject, "none in time" if waiting.when() == due else "a lost connection") from None
    return reply_of(result.root)


async def list_tools(session: ClientSession, server: str) -> tuple[ObservedTool, ...]:
    """Return the tools of all pages of tools/list; entries that are no definitions are left out and counted in the log.

    Raises NothingSentError as `call_tool`, and TransportError for an error, a page that is none, and a list beyond
    `MAX_PAGES` or `MAX_TOOLS`.
    """
    found: list[ObservedTool] = []
    junk = 0
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await _page(session, server, cursor)
        entries, following = page.get("tools"), page.get("nextCursor")
        if not isinstance(entries, list) or not isinstance(following, str | None):
            raise _unlisted(server, "a page without them")
        tools = [tool for entry in entries if (tool := observed_of(server, entry)) is not None]
        junk += len(entries) - len(tools)
        found += tools
        if len(found) + junk > MAX_TOOLS:
            raise _unlisted(server, f"more than {MAX_TOOLS}")
        if not following:
            if junk:
                warn(_log, "server %s: %d entries of its tool list are no tools and were left out", server, junk)
            return tuple(found)
        cursor = following
    raise _unlisted(server, f"more than {MAX_PAGES} pages")


async def _page(session: ClientSession, server: str, cursor: str | None) -> Mapping[str, object]:
    params = None if cursor is None else mcp.types.PaginatedRequestParams(cursor=cursor)
    request = mcp.types.ClientRequest(mcp.types.ListToolsRequest(params=params))
    try:
        return (await session.send_request(request, _Result)).root
    except McpError as error:
        raise _unlisted(server, f"error {error.error.code}") from None
    except (ClosedResourceError, BrokenResourceError):
        raise NothingSentError from None
    except EndOfStream:
        raise _unlisted(server, "a lost connection") from None


def no_reply(subject: str, got: str) -> NoReplyError:
    """Word the error of a request that may have been carried out."""
    return NoReplyError(subject, expected="a reply", got=got, action="find out whether it happened before asking again")


def _refused(code: int, subject: str, lost: Callable[[], None]) -> ToolReply:
    """Return the reply that a JSON-RPC error stands for, without the server's own words: they may quote anything."""
    if code in _NO_REPLY:
        # A server may send these codes too, which proves nothing, and then only costs a new session.
        lost()
        raise no_reply(subject, "a lost connection" if code == mcp.types.CONNECTION_CLOSED else "none in time")
    if code == _TERMINATED:
        lost()
    if code in _NOT_RUN:
        text = f"the server did not run the tool: {_NOT_RUN[code]} (error {code})"
        return ToolReply(text, None, is_error=True, proves_nothing_happened=True)
    return ToolReply(f"the server failed with error {code}", None, is_error=True)


def _unlisted(server: str, got: str) -> TransportError:
    return TransportError(f"server {server}", expected="a list of its tools", got=got, action="look at the server")
