"""How are MCP servers reached?

The protocol is ours; behind it stand langchain-mcp-adapters and the MCP client. They come with the
extra ``mcp`` and are loaded when a transport is first named, so that everything that reaches no
server (policy checks, audit verification) works without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from guarded_agents.errors import ConfigurationError
from guarded_agents.transport._config import HttpServer, ServerConfig, ServerStderr, StdioServer, load_servers
from guarded_agents.transport._protocol import ObservedTool, ToolReply, ToolTransport
from guarded_agents.transport._reviewed import ReviewedTransport

if TYPE_CHECKING:
    from guarded_agents.transport._adapter import AdapterTransport
    from guarded_agents.transport._session import SessionTransport

__all__ = [
    "AdapterTransport",
    "HttpServer",
    "ObservedTool",
    "ReviewedTransport",
    "ServerConfig",
    "ServerStderr",
    "SessionTransport",
    "StdioServer",
    "ToolReply",
    "ToolTransport",
    "load_servers",
]

_LOADED_LATE = {"AdapterTransport": "_adapter", "SessionTransport": "_session"}


def __getattr__(name: str) -> object:
    """Return a transport, loading the MCP client first (PEP 562). Raises ConfigurationError where it is missing."""
    if name not in _LOADED_LATE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        module = import_module(f"{__name__}.{_LOADED_LATE[name]}")
    except ImportError as error:
        raise ConfigurationError(
            f"transport {name}",
            expected="langchain-mcp-adapters 0.3.2 or later with mcp 1.x",
            got=f"no module {error.name}" if error.name else "modules that do not fit together",
            action="install guarded-agents[mcp], and not together with its extra mcp2",
        ) from error
    return getattr(module, name)
