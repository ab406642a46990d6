"""The tool objects that an application holds. They bind to a model, and refuse to run (DESIGN I1, FACTS G11)."""

from typing import NoReturn

from langchain_core.tools import BaseTool

from guarded_agents import nodes
from guarded_agents.catalog import CatalogTool
from guarded_agents.errors import UngatedToolError


class GuardedTool(BaseTool):
    """A tool for ``bind_tools``: its reviewed name, description and input schema, and no way to run it."""

    server: str

    def _run(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise self._refusal()

    async def _arun(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise self._refusal()

    def _refusal(self) -> UngatedToolError:
        return UngatedToolError(
            f"tool {self.name}",
            expected="a call through the guard's execute node",
            got="a direct one",
            action="build the graph with guard.agent, or guard yours with guard.attach",
        )


def guarded_tool(tool: CatalogTool) -> GuardedTool:
    """Return the tool object of a reviewed tool. Its description is the lockfile's, never the server's."""
    return GuardedTool(
        name=tool.alias,
        description=tool.definition.description or tool.alias,
        args_schema=dict(tool.definition.input_schema),
        server=tool.ref.server,
    )


def planning_tool() -> GuardedTool:
    """Return the tool by which a model proposes a plan; the guard itself answers its calls."""
    return GuardedTool(
        name=nodes.PROPOSE_PLAN, description=nodes.PROPOSAL_TEXT, args_schema=dict(nodes.PROPOSAL_SCHEMA), server=""
    )
