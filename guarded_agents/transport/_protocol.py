"""What the guard asks of a transport to MCP servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class ObservedTool:
    """A tool as a running server describes it (MCP 2025-11-25, tools/list). Untrusted."""

    server: str
    name: str
    title: str | None
    description: str
    input_schema: Mapping[str, JsonValue]
    output_schema: Mapping[str, JsonValue] | None
    annotations: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ToolReply:
    """What a server answered to tools/call.

    ``text`` is the content blocks as text for the model: text as it is; a resource link, image,
    audio or binary resource as one line that names its kind, type and size and never its bytes. ``is_error`` is MCP's
    ``isError``. ``proves_nothing_happened`` is True only for a JSON-RPC error that says that the
    tool was not run (unknown method, invalid params). ``structured`` is None where there was none.
    ``is_embedding`` is whether a block is no text: a file, an image, a link. ``repeats`` is whether the text is the
    structured content once more, as JSON or a string as it is, and nothing else.
    """

    text: str
    structured: JsonValue
    is_error: bool
    proves_nothing_happened: bool = False
    is_embedding: bool = False
    repeats: bool = False


class ToolTransport(Protocol):
    """How to reach the tools of MCP servers. Sessions are held per (server, principal)."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the names of the servers, sorted."""

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        """Return all tools of *server* (every page). Raises TransportError."""

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

    async def aclose(self) -> None:
        """Close every session."""


@runtime_checkable
class Reporting(Protocol):
    """What a transport may tell operators beside its work."""

    @property
    def networks(self) -> Mapping[str, str]:
        """Return by server how it is reached, in OpenTelemetry's words (``network.transport``): ``pipe`` or ``tcp``."""

    @property
    def reopened(self) -> Mapping[str, int]:
        """Return by server how many sessions were opened again in the place of one that was lost."""
