"""What `Guard.lint` looks for in a graph before it is trusted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.runnables import RunnableSequence
from langgraph._internal._runnable import RunnableSeq  # LangGraph's own sequence; not public
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode

from guarded_agents.assembly._tools import GuardedTool
from guarded_agents.state import GUARD_KEYS, MessagesChannel

AnyBuilder = StateGraph[Any, Any, Any, Any]  # a graph of the application's own: its schemas are not ours to know
AnyGraph = CompiledStateGraph[Any, Any, Any, Any]

GUARD_NODES: Final = ("approval", "execute", "refuse", "screen_input")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps a graph from being guarded: where it is, what is wrong, what to change."""

    where: str
    problem: str
    action: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.where}: {self.problem}; {self.action}"


def lint(graph: AnyBuilder | AnyGraph) -> tuple[Finding, ...]:
    """Return what is wrong with *graph*, sorted; an empty tuple where it is guarded."""
    compiled = graph if isinstance(graph, CompiledStateGraph) else None
    builder = graph.builder if isinstance(graph, CompiledStateGraph) else graph
    found = [*_state(builder), *_nodes(builder)]
    if compiled is not None and not compiled.checkpointer:
        found.append(
            Finding("graph", "has no checkpointer, so nothing can wait for an approval", "compile it with one")
        )
    return tuple(sorted(found, key=str))


def _state(builder: AnyBuilder) -> Iterator[Finding]:
    for key in GUARD_KEYS:
        if key not in builder.channels:
            yield Finding(
                f"state key {key}",
                "is missing, so LangGraph would drop it silently",
                "derive the state from GuardedState",
            )
    if "messages" in builder.channels and not isinstance(builder.channels["messages"], MessagesChannel):
        yield Finding(
            "state key messages", "has another channel than GuardedState's", "derive the state from GuardedState"
        )


def _nodes(builder: AnyBuilder) -> Iterator[Finding]:
    for name in GUARD_NODES:
        if name not in builder.nodes:
            yield Finding(f"node {name}", "is missing", "guard the graph with guard.attach")
    defaults = getattr(builder, "_node_defaults", None)  # of set_node_defaults; LangGraph shows them nowhere
    for name, node in builder.nodes.items():
        for tool in _ungated(node.runnable):
            yield Finding(f"node {name}", f"runs tool {tool} ungated", "give it guard.tools, or remove the node")
        if name in GUARD_NODES and (node.retry_policy or getattr(defaults, "retry_policy", None)):
            yield Finding(f"node {name}", "has a retry policy, which would send again", "remove retry_policy")
        if name in GUARD_NODES and (node.cache_policy or getattr(defaults, "cache_policy", None)):
            yield Finding(f"node {name}", "has a cache policy, which would be a stale permit", "remove cache_policy")


def _ungated(runnable: object) -> tuple[str, ...]:
    """Return the names of the tools that *runnable* would run by itself, also inside subgraphs and sequences."""
    if isinstance(runnable, CompiledStateGraph):
        inner: list[object] = [node.runnable for node in runnable.builder.nodes.values()]
    elif isinstance(runnable, RunnableSequence | RunnableSeq):
        inner = list(runnable.steps)
    elif isinstance(runnable, ToolNode):
        tools: Mapping[str, object] = runnable.tools_by_name
        return tuple(sorted(name for name, tool in tools.items() if not isinstance(tool, GuardedTool)))
    else:
        return ()
    return tuple(sorted(name for part in inner for name in _ungated(part)))
