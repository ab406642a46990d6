"""How are MCP servers reached?

The protocol is ours; behind it stand langchain-mcp-adapters and the MCP client. They come with the
extra ``mcp`` and are loaded when a transport is first named, so that everything that reaches no
server (policy checks, audit verification) works without them.
"""

from typing import TYPE_CHECKING

from guarded_agents._late import loads_late
from guarded_agents.transport._config import HttpServer, ServerConfig, ServerStderr, StdioServer, load_servers
from guarded_agents.transport._protocol import ObservedTool, Reporting, ToolReply, ToolTransport
from guarded_agents.transport._reviewed import ReviewedTransport

if TYPE_CHECKING:
    from guarded_agents.transport._adapter import AdapterTransport
    from guarded_agents.transport._session import SessionTransport

__all__ = [
    "AdapterTransport",
    "HttpServer",
    "ObservedTool",
    "Reporting",
    "ReviewedTransport",
    "ServerConfig",
    "ServerStderr",
    "SessionTransport",
    "StdioServer",
    "ToolReply",
    "ToolTransport",
    "load_servers",
]

__getattr__ = loads_late(
    __name__,
    {"AdapterTransport": "_adapter", "SessionTransport": "_session"},
    what="transport",
    expected="langchain-mcp-adapters 0.3.2 or later with mcp 1.x",
    action="install guarded-agents[mcp], and not together with its extra mcp2",
)
