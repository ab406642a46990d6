"""How a graph is guarded: which nodes and edges are added, and what the model node is wrapped in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph._internal._runnable import RunnableCallable  # LangGraph offers no public dual node
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from guarded_agents import nodes
from guarded_agents.assembly._lint import AnyBuilder
from guarded_agents.assembly._tools import GuardedTool
from guarded_agents.errors import AssemblyError
from guarded_agents.state import GUARD_KEYS, GuardContext, GuardedState, MessagesChannel

Explain = Callable[[RunnableConfig], str]  # what a model is told of the untrusted results of its thread

_RUNTIME: Final = "__pregel_runtime"  # private key of LangGraph


@dataclass(frozen=True, slots=True)
class Parts:
    """The bodies of the nodes, made once by the guard."""

    home: nodes.HomeLoop
    screen_input: nodes.ScreenInput
    screen_response: nodes.ScreenResponse
    plans: nodes.Plans
    endings: nodes.Endings
    approval: nodes.Approval


def attach(builder: AnyBuilder, parts: Parts, *, model_node: str, after: str) -> AnyBuilder:
    """Guard *builder* in place and return it; see `Guard.attach`."""
    _check(builder, model_node)
    spec = builder.nodes[model_node]
    original = cast("Runnable[object, object]", spec.runnable)  # add_node has made a Runnable of it
    builder.nodes[model_node] = replace(spec, runnable=_recorded(parts, model_node, original))
    _enter_through_screen_input(builder, parts)
    task = nodes.CallTask
    builder.add_node("execute", nodes.dual(parts.home, "execute", parts.endings.execute), input_schema=task)
    builder.add_node("refuse", nodes.dual(parts.home, "refuse", parts.endings.refuse), input_schema=task)
    subgraph = nodes.approval_subgraph(parts.approval, parts.endings, parts.home)
    builder.add_node("approval", subgraph, input_schema=task)
    for node in ("execute", "refuse", "approval"):
        builder.add_edge(node, model_node)

    def route(state: nodes.InputState, config: RunnableConfig) -> list[Send] | str:
        runtime = config.get("configurable", {}).get(_RUNTIME)  # update_state hands none in, and would raise for it
        return parts.plans.route(state, config, nodes.context_of(runtime)) or after

    # As it is, LangGraph would run a plain function in a thread, once a turn.
    edge = RunnableCallable(route, name="route", trace=False, recurse=False)
    builder.add_conditional_edges(model_node, edge, ["execute", "refuse", "approval", after])
    return builder


def tool_loop(
    model: BaseChatModel, tools: Sequence[GuardedTool], *, prompt: str | None, explain: Explain
) -> AnyBuilder:
    """Return the graph of `Guard.agent` before it is guarded: the model alone, which knows *tools*."""
    bound = model.bind_tools(tools) if tools else model
    builder = StateGraph(GuardedState, context_schema=GuardContext)
    builder.add_node("model", model_body(bound, prompt, explain))
    builder.add_edge(START, "model")
    return builder


def model_body(
    bound: Runnable[Sequence[BaseMessage], BaseMessage], prompt: str | None = None, explain: Explain = lambda _: ""
) -> RunnableCallable:
    """Return the model node of `Guard.agent`: shows the model *prompt*, what *explain* says, and the messages.

    They come in this order, so that what a provider keeps of a prompt serves all threads.
    """

    def shown(state: GuardedState, config: RunnableConfig) -> list[BaseMessage]:
        system = "\n\n".join(part for part in (prompt, explain(config)) if part)
        return [_system(system), *state["messages"]] if system else [*state["messages"]]

    async def amodel(state: GuardedState, config: RunnableConfig) -> dict[str, object]:
        return {"messages": [await bound.ainvoke(shown(state, config))]}

    def model(state: GuardedState, config: RunnableConfig) -> dict[str, object]:
        return {"messages": [bound.invoke(shown(state, config))]}

    return RunnableCallable(model, amodel, name="model", trace=False)


@lru_cache(maxsize=1_024)  # of threads: making a message anew each turn costs as much as screening one
def _system(text: str) -> SystemMessage:
    return SystemMessage(text)


def _enter_through_screen_input(builder: AnyBuilder, parts: Parts) -> None:
    """Put ``screen_input`` before whatever the graph starts with."""
    body = nodes.dual(parts.home, "screen_input", parts.screen_input.__call__)
    builder.add_node("screen_input", body, input_schema=nodes.InputState)
    for edge in [edge for edge in builder.edges if edge[0] == START]:
        builder.edges.remove(edge)
        builder.add_edge("screen_input", edge[1])
    if START in builder.branches:
        builder.branches["screen_input"] = builder.branches.pop(START)
    builder.add_edge(START, "screen_input")


def _recorded(parts: Parts, name: str, runnable: Runnable[object, object]) -> RunnableCallable:
    """Return the model node wrapped, so that what it proposes is on record before it is routed."""

    async def amodel(state: nodes.InputState, config: RunnableConfig, runtime: Runtime[GuardContext]) -> object:
        output = parts.screen_response(await runnable.ainvoke(state, config), config)
        await parts.plans.record(_messages(state), output, config, nodes.context_of(runtime))
        return output

    def model(state: nodes.InputState, config: RunnableConfig, runtime: Runtime[GuardContext]) -> object:
        output = parts.screen_response(runnable.invoke(state, config), config)
        parts.home.run_sync(parts.plans.record(_messages(state), output, config, nodes.context_of(runtime)))
        return output

    return RunnableCallable(model, amodel, name=name, trace=False, recurse=False)


def _check(builder: AnyBuilder, model_node: str) -> None:
    if model_node not in builder.nodes:
        raise AssemblyError(
            f"node {model_node}",
            expected="a node of the builder",
            got="none",
            action="add the model node before attaching",
        )
    missing = [key for key in GUARD_KEYS if key not in builder.channels]
    if missing or not isinstance(builder.channels.get("messages"), MessagesChannel):
        raise AssemblyError(
            "state schema",
            expected="one that derives from GuardedState",
            got=f"one without {', '.join(missing) or 'its messages channel'}",
            action="derive it from GuardedState",
        )
    if builder.branches.get(model_node) or any(edge[0] == model_node for edge in builder.edges):
        raise AssemblyError(
            f"node {model_node}",
            expected="no edge out of the model node",
            got="at least one",
            action="remove it, and pass after= to say where the graph goes when no call is made",
        )


def _messages(state: object) -> Sequence[AnyMessage]:
    return state.get("messages", ()) if isinstance(state, Mapping) else ()
