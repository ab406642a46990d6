"""The transport over langchain-mcp-adapters and the MCP client: sessions that stay open (FACTS F18)."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from pydantic import JsonValue

from guarded_agents.errors import NotSentError, TransportError
from guarded_agents.transport._config import ServerConfig, StdioServer
from guarded_agents.transport._connect import connection
from guarded_agents.transport._exchange import NothingSentError, call_tool, list_tools
from guarded_agents.transport._held import HeldSession
from guarded_agents.transport._protocol import ObservedTool, ToolReply

Place = tuple[str, str]  # server, principal


class AdapterTransport:
    """Reaches MCP servers over stdio and streamable HTTP. Belongs to the event loop of its first use.

    A session is opened by the first call for its (server, principal), at most once however
    many calls wait for it, and never serves another principal. One that was lost is opened
    again by the next call; a request that had been handed to it is never sent again. Where
    *max_sessions* are open, the one that was idle longest is closed for the next.
    """

    def __init__(
        self,
        servers: Mapping[str, ServerConfig],
        *,
        open_timeout_s: float = 30.0,
        list_timeout_s: float = 60.0,
        max_sessions: int = 64,
    ) -> None:
        """Take the servers that `load_servers` returned. Nothing is started."""
        self._servers = dict(servers)
        self._open_timeout_s, self._list_timeout_s, self._max_sessions = open_timeout_s, list_timeout_s, max_sessions
        self._held: dict[Place, HeldSession] = {}
        self._alive: set[HeldSession] = set()  # also those that are retired and not yet closed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uses = 0
        self._closed = False
        self._lost: set[Place] = set()  # whose session has ended before it was asked to
        self._reopened = Counter[str]()

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the names of the servers, sorted."""
        return tuple(sorted(self._servers))

    @property
    def networks(self) -> Mapping[str, str]:
        """Return by server how it is reached: ``pipe`` for a process, ``tcp`` for HTTP."""
        return {name: "pipe" if isinstance(server, StdioServer) else "tcp" for name, server in self._servers.items()}

    @property
    def reopened(self) -> Mapping[str, int]:
        """Return by server how many sessions were opened again in the place of one that was lost."""
        return dict(self._reopened)

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        """Return all tools of *server* (every page). Raises TransportError."""
        deadline = asyncio.get_running_loop().time() + self._list_timeout_s
        for _ in range(2):
            with suppress(NothingSentError):  # it had gone away while nothing was asked of it: as in `call`
                return await self._list(server, principal, deadline)
        raise _closes_at_once(f"server {server}")

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
        """Send one call with *meta* as ``_meta`` and return the reply. *timeout_s* includes opening the session.

        Raises NotSentError where certainly nothing left the process, NoReplyError for everything after.
        """
        place = server, principal
        deadline = asyncio.get_running_loop().time() + timeout_s
        for _ in range(2):
            held = self._hold(place)
            session = held.session or await held.opened(deadline=deadline)
            lost = partial(self._drop, place, held)
            try:
                with held.waiting(deadline=deadline) as waiting:
                    return await call_tool(
                        session,
                        tool,
                        arguments,
                        subject=f"{server}/{tool}",
                        meta=meta,
                        waiting=waiting,
                        lost=lost,
                    )
            except NothingSentError:
                lost()  # the server had gone away while nothing was asked of it: a fresh session is tried once
        raise _closes_at_once(f"{server}/{tool}")

    async def aclose(self) -> None:
        """Close every session, wait until processes and sockets are gone, and open none any more.

        Requests that wait for a reply end with NoReplyError. Raises NotSentError on another loop.
        """
        self._closed = True
        if self._loop is None or self._loop.is_closed():
            return
        self._require_loop()
        self._held.clear()
        owners = [held.owner for held in self._alive]
        for held in self._alive:
            held.close()
        if owners:
            await asyncio.wait(owners)

    async def _list(self, server: str, principal: str, deadline: float) -> tuple[ObservedTool, ...]:
        place = server, principal
        held = self._hold(place)
        session = held.session or await held.opened(deadline=deadline)
        try:
            with held.waiting(deadline=deadline) as waiting:
                async with waiting:
                    return await list_tools(session, server)
        except NothingSentError:
            self._drop(place, held)
            raise
        except TimeoutError:
            raise TransportError(
                f"server {server}", expected="a list of its tools", got="none in time", action="look at the server"
            ) from None

    def _hold(self, place: Place) -> HeldSession:
        """Return the session of *place*, opened or being opened. Raises NotSentError."""
        self._uses += 1
        held = self._held.get(place)
        if held is None or held.is_over:
            if held is not None or place in self._lost:
                self._lost.discard(place)
                self._reopened[place[0]] += 1
            held = self._open(place)
        elif self._loop is not asyncio.get_running_loop():
            self._require_loop()
        held.last_use = self._uses
        return held

    def _open(self, place: Place) -> HeldSession:
        server, _ = place
        self._require_loop()
        if self._closed or server not in self._servers:
            raise NotSentError(
                f"server {server}",
                expected=f"one of {', '.join(self.servers)}" if not self._closed else "an open transport",
                got="an unknown name" if not self._closed else "a closed one",
                action="name it in the servers" if not self._closed else "open a new one",
            )
        self._held.pop(place, None)
        self._make_room()
        held = HeldSession(server, connection(server, self._servers[server]), open_timeout_s=self._open_timeout_s)
        self._held[place] = held
        self._alive.add(held)
        held.owner.add_done_callback(lambda _: self._alive.discard(held))
        return held

    def _make_room(self) -> None:
        for place in [place for place, held in self._held.items() if held.is_over]:
            del self._held[place]
        if len(self._held) < self._max_sessions:
            return
        idle = [place for place, held in self._held.items() if held.is_idle]
        if not idle:
            raise NotSentError(
                "transport",
                expected=f"fewer than {self._max_sessions} sessions in use",
                got="as many",
                action="try again later or raise max_sessions",
            )
        self._held.pop(min(idle, key=lambda place: self._held[place].last_use)).close()

    def _drop(self, place: Place, held: HeldSession) -> None:
        """Let the next call open a new session; calls that wait on this one go on waiting."""
        if self._held.get(place) is held:
            del self._held[place]
            if len(self._lost) < self._max_sessions:
                self._lost.add(place)
        held.retire()

    def _require_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise NotSentError(
                "transport",
                expected="the event loop of its first use",
                got="another one",
                action="open one transport for each loop",
            )


def _closes_at_once(subject: str) -> NotSentError:
    return NotSentError(subject, expected="an open session", got="one that closes at once", action="look at the server")
