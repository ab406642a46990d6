"""The MCP server that every turn is measured against. As a process: ``python _server.py stdio`` or ``… http PORT``."""

import sys
from typing import Final

import uvicorn
from mcp.server.fastmcp import FastMCP

TOOL: Final = "lookup_record"
ARGUMENTS: Final[dict[str, object]] = {
    "record_id": "rec-000123",
    "fields": ["name", "visits", "medication"],
    "limit": 5,
    "include_history": False,
}
_LINE: Final = "The patient record shows a follow-up visit on 2026-03-14 with no adverse events noted. "
_REPLY_BYTES: Final = 2_048


def make_server(*, structured: bool = True, port: int = 8_000) -> FastMCP:
    """Return a server with one tool that answers 2 KB of text; *structured* gives it an output schema."""
    server = FastMCP("records", log_level="ERROR", port=port)
    text = (_LINE * (_REPLY_BYTES // len(_LINE) + 1))[:_REPLY_BYTES]

    def lookup_record(record_id: str, fields: list[str], limit: int = 10, include_history: bool = False) -> str:  # noqa: ARG001, FBT001, FBT002 - the tool's arguments
        """Look up one record by id and return the named fields."""
        return text

    server.add_tool(lookup_record, name=TOOL, structured_output=None if structured else False)
    return server


def main(transport: str, port: str = "0") -> None:
    """Serve until the client is gone (stdio) or until the process is ended (http)."""
    if transport == "stdio":
        make_server().run("stdio")
    else:
        server = make_server(port=int(port))
        uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(port), log_level="error")


if __name__ == "__main__":
    main(*sys.argv[1:])
