"""A transport that reaches no server, for those who only judge and vote."""

from collections.abc import Mapping

from pydantic import JsonValue

from guarded_agents.catalog import Lockfile
from guarded_agents.errors import NotSentError
from guarded_agents.transport._protocol import ObservedTool, ToolReply


class ReviewedTransport:
    """Offers every tool exactly as it was reviewed, and sends nothing.

    An approver's process starts no servers: what it is asked about, and an edit of it, is judged against the
    lockfile. Whoever executes the call looks at the real server again before it is sent.
    """

    def __init__(self, lockfile: Lockfile) -> None:
        """Take the reviewed tools."""
        self._tools: dict[str, tuple[ObservedTool, ...]] = {}
        for tool in lockfile.tools:
            found = tool.definition
            offered = ObservedTool(
                server=found.server,
                name=found.name,
                title=found.title,
                description=found.description,
                input_schema=found.input_schema,
                output_schema=found.output_schema,
                annotations=found.annotations,
            )
            self._tools[found.server] = (*self._tools.get(found.server, ()), offered)

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the names of the servers that have reviewed tools, sorted."""
        return tuple(sorted(self._tools))

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        """Return the reviewed tools of *server*, the same for every *principal*."""
        del principal
        return self._tools.get(server, ())

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
        """Raise NotSentError: nothing is sent from here."""
        del arguments, principal, meta, timeout_s
        raise NotSentError(
            f"tool {server}/{tool}",
            expected="a process that runs the servers",
            got="one that only votes",
            action="open the guard with servers=",
        )

    async def aclose(self) -> None:
        """Do nothing: there is no session to close."""
