"""The scripted model, the unguarded graph, and one measured run of either graph."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode

from benchmarks._measure import Spent, timed
from benchmarks._server import ARGUMENTS, TOOL

Graph = CompiledStateGraph[Any, Any, Any, Any]
STEPS_PER_TURN: Final = 4  # super-steps, generously


def reply_to(messages: Sequence[BaseMessage]) -> AIMessage:
    """Return the next message of the script: one call a turn, until as many were made as the first message says."""
    first = int(messages[0].type == "system")  # what a guarded model is told of untrusted results
    wanted, done = int(str(messages[first].content)), (len(messages) - 1 - first) // 2
    if done >= wanted:
        return AIMessage("done", id=f"model-{done}")
    call = {"name": TOOL, "args": dict(ARGUMENTS), "id": f"call-{done}", "type": "tool_call"}
    return AIMessage("", tool_calls=[call], id=f"model-{done}")


class CountingModel(BaseChatModel):
    """A chat model that follows the script of `reply_to`."""

    @property
    def _llm_type(self) -> str:
        return "counting"

    def bind_tools(self, *_: object, **__: object) -> "CountingModel":
        """Return this model."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        return ChatResult(generations=[ChatGeneration(message=reply_to(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        del run_manager, kwargs
        return self._generate(messages, stop)


def unguarded(
    model: Runnable[Any, Any], tools: list[BaseTool], *, checkpointer: BaseCheckpointSaver[str] | None
) -> Graph:
    """Return the plain tool loop of LangGraph's documentation, with its `ToolNode`."""

    async def call_model(state: MessagesState) -> dict[str, object]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def route(state: MessagesState) -> str:
        return "tools" if getattr(state["messages"][-1], "tool_calls", ()) else END

    builder = StateGraph(MessagesState)
    builder.add_node("model", call_model)
    builder.add_node("tools", ToolNode(tools))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", route, ["tools", END])
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=checkpointer)


async def run(graph: Graph, turns: int) -> Spent:
    """Run *turns* tool-call turns on a fresh thread; return what one took. Raises RuntimeError where a call failed."""
    config: RunnableConfig = {
        "recursion_limit": turns * STEPS_PER_TURN + 20,
        "configurable": {"thread_id": uuid.uuid4().hex},
    }
    given = {"messages": [{"role": "user", "content": str(turns)}]}
    results: list[dict[str, Any]] = []

    async def work() -> None:
        results.append(await graph.ainvoke(given, config, context=getattr(graph, "bench_context", None)))

    spent = await timed(work, units=turns)
    answers = [message for message in results[0]["messages"] if isinstance(message, ToolMessage)]
    if len(answers) != turns or any(answer.status != "success" for answer in answers):
        raise RuntimeError(f"{len(answers)} of {turns} calls were answered, or one of them failed")
    return spent
