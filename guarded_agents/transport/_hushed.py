"""What the MCP client and the HTTP client log of our sessions: that they did, and where, without a word of the text.

Their lines quote what was sent, what a server says and the session's id; and a handler of the application's that fails
would end the loop that receives replies, and with it lose the outcome of a call that ran. What they log of sessions of
the application's own is left as it is.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import httpcore  # noqa: F401 - makes its loggers
import mcp.client.streamable_http  # noqa: F401 - as above

from guarded_agents._provider import quietly

_OURS: Final = ContextVar("guarded_agents_session", default=False)
_ROOMS: Final = ("httpcore", "httpx", "langchain_mcp_adapters", "mcp")
_log: Final = logging.getLogger("guarded_agents.transport")


class _Hush(logging.Filter):
    """Lets nothing through that is logged within a session of ours, and says so in a line of our own."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* is of somebody else's work."""
        if not _OURS.get():
            return True
        if record.levelno >= logging.WARNING:
            place = f"{record.name} {record.module}:{record.lineno}"
            quietly(lambda: _log.log(record.levelno, "a session: %s, the text is left out", place), None)
        return False


_HUSH: Final = _Hush()


@contextmanager
def hushed() -> Iterator[None]:
    """Hush what is logged in here, and in tasks that begin in here."""
    for logger in _loggers():
        if _HUSH not in logger.filters:
            logger.filters.insert(0, _HUSH)  # before a filter of the application's, which may fail too
    token = _OURS.set(True)
    try:
        yield
    finally:
        _OURS.reset(token)


def _loggers() -> list[logging.Logger]:
    """Return the root logger, by which the MCP client logs too, and those of the clients that there are now."""
    named = list(logging.Logger.manager.loggerDict.items())
    ours = [one for name, one in named if name.partition(".")[0] in _ROOMS and isinstance(one, logging.Logger)]
    return [logging.getLogger(), *ours]
