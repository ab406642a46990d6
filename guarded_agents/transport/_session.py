"""The transport over sessions that somebody else opened."""

import asyncio
from collections.abc import Mapping

from mcp import ClientSession
from pydantic import JsonValue

from guarded_agents.errors import NotSentError, TransportError
from guarded_agents.transport._exchange import NothingSentError, call_tool, list_tools
from guarded_agents.transport._protocol import ObservedTool, ToolReply


class SessionTransport:
    """Calls tools over sessions that the application holds, in memory or elsewhere, and never closes them.

    One session serves every principal here: give each principal a guard of its own where the server
    knows its callers by their session. Callbacks (elicitation, sampling, roots) that the application
    gave its sessions stay its own affair.
    """

    def __init__(self, sessions: Mapping[str, ClientSession], *, list_timeout_s: float = 60.0) -> None:
        """Take initialised sessions by the name of their server."""
        self._sessions = dict(sessions)
        self._list_timeout_s = list_timeout_s

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the names of the servers, sorted."""
        return tuple(sorted(self._sessions))

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        """Return all tools of *server* (every page). Raises TransportError."""
        del principal
        try:
            async with asyncio.timeout(self._list_timeout_s):
                return await list_tools(self._session(server), server)
        except NothingSentError:
            raise _closed(server) from None
        except TimeoutError:
            raise TransportError(
                f"server {server}", expected="a list of its tools", got="none in time", action="look at the server"
            ) from None

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, JsonValue],
        *,
        principal: str,
        meta: Mapping[str, str],
        timeout_s: float,
    ) -> ToolReply:
        """Send one call with *meta* as ``_meta`` and return the reply.

        Raises NotSentError where certainly nothing left the process, NoReplyError for everything after.
        """
        del principal
        session, subject, waiting = self._session(server), f"{server}/{tool}", asyncio.timeout(timeout_s)
        try:
            return await call_tool(session, tool, arguments, subject=subject, meta=meta, waiting=waiting)
        except NothingSentError:
            raise _closed(server) from None

    async def aclose(self) -> None:
        """Do nothing: the sessions belong to whoever opened them."""

    def _session(self, server: str) -> ClientSession:
        session = self._sessions.get(server)
        if session is None:
            raise NotSentError(
                f"server {server}",
                expected=f"one of {', '.join(self.servers)}",
                got="an unknown name",
                action="hand its session in",
            )
        return session


def _closed(server: str) -> NotSentError:
    return NotSentError(
        f"server {server}", expected="an open session", got="a closed one", action="open a new session and transport"
    )
