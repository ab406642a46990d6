"""One session that stays open, and the task that owns it."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import Context
from typing import Final

import anyio
import httpx
from mcp import ClientSession, McpError
from mcp.types import CONNECTION_CLOSED

from guarded_agents.errors import NotSentError
from guarded_agents.transport._hushed import hushed

CLOSE_TIMEOUT_S: Final = 10.0  # a stdio server is given 2 s, then a signal and 2 s more, then killed


class HeldSession:
    """A session that is opened at once and stays open until it is retired or lost.

    The client's cancel scopes must be left in the task that entered them, so a task of its own opens
    the session, waits, and closes it; a caller's cancellation never reaches it. The task starts
    in an empty context: what the first caller's context holds (its span, its configuration)
    must not live on in a session that outlives the call.
    """

    def __init__(
        self, name: str, connection: AbstractAsyncContextManager[ClientSession], *, open_timeout_s: float
    ) -> None:
        """Start the task that opens *connection*; it gives up after *open_timeout_s*."""
        self.name = name
        self.session: ClientSession | None = None  # None before it is open and after it has ended
        self.last_use = 0
        self._ended_by = "nothing yet"
        self._calls: set[asyncio.Timeout] = set()
        self._opened_or_failed = asyncio.Event()
        self._close = asyncio.Event()
        self._retired = False
        self.owner = asyncio.create_task(self._own(connection, open_timeout_s), context=Context())
        self.owner.add_done_callback(self._ended)

    async def opened(self, *, deadline: float) -> ClientSession:
        """Return the session when it is open. *deadline* is a time of the loop. Raises NotSentError."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._opened_or_failed.wait()
        except TimeoutError:
            raise self._unopened("none in time") from None
        if self.session is None:
            raise self._unopened(self._ended_by)
        return self.session

    @property
    def is_over(self) -> bool:
        """Return whether the session has ended, or could not be opened."""
        return self._opened_or_failed.is_set() and self.session is None

    @property
    def is_idle(self) -> bool:
        """Return whether the session is open and nothing waits for a reply."""
        return self.session is not None and not self._calls

    @contextmanager
    def waiting(self, *, deadline: float) -> Iterator[asyncio.Timeout]:
        """Hold the session for one request, to be sent under the yielded time-out: it also expires with the session."""
        timeout = asyncio.timeout_at(deadline)
        self._calls.add(timeout)
        try:
            yield timeout
        finally:
            self._calls.discard(timeout)
            if self._retired and not self._calls:
                self.close()

    def retire(self) -> None:
        """Close the session as soon as nothing waits for a reply on it."""
        self._retired = True
        if not self._calls:
            self.close()

    def close(self) -> None:
        """Close the session now. Requests that wait for a reply end without one; ``owner`` ends when it is closed."""
        if self._close.is_set():
            return
        self._close.set()
        if not self._opened_or_failed.is_set():
            self.owner.cancel()  # it waits for a server, not for us
        # A server that answers nothing any more may not even answer the farewell.
        last = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.owner.cancel)
        self.owner.add_done_callback(lambda _: last.cancel())

    async def _own(self, connection: AbstractAsyncContextManager[ClientSession], open_timeout_s: float) -> None:
        with hushed():
            await self._keep_open(connection, open_timeout_s)

    async def _keep_open(self, connection: AbstractAsyncContextManager[ClientSession], open_timeout_s: float) -> None:
        async with connection as session:
            with anyio.fail_after(open_timeout_s):
                await session.initialize()
            self.session = session
            self._opened_or_failed.set()
            try:
                await self._close.wait()
            finally:
                self._lose()  # first of all, for leaving the connection may take seconds

    def _lose(self) -> None:
        self.session = None
        now = asyncio.get_running_loop().time()
        for timeout in self._calls:
            if not timeout.expired():
                timeout.reschedule(now)

    def _ended(self, owner: asyncio.Task[None]) -> None:
        # Looking at the exception here is what keeps asyncio from logging it, with whatever it quotes.
        error = None if owner.cancelled() else owner.exception()
        self._ended_by = "a closed session" if error is None else _kind(error)
        self.session = None
        self._opened_or_failed.set()

    def _unopened(self, got: str) -> NotSentError:
        return NotSentError(
            f"server {self.name}",
            expected="an open session",
            got=got,
            action="check its record and that it starts (stderr_file keeps what it says)",
        )


def _kind(error: BaseException) -> str:
    """Return what *error* is, its first leaf where it is a group, without its text: that may quote anything."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, McpError) and error.error.code == CONNECTION_CLOSED:
        return "a server that ended at once"
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP status {error.response.status_code}"
    return type(error).__name__
