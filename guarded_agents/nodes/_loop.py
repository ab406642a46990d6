"""Nodes that run both ways, and the event loop that the guard's sessions live on (FACTS G10)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph._internal._runnable import RunnableCallable  # LangGraph offers no public dual node
from langgraph.runtime import Runtime

from guarded_agents.errors import WrongLoopError
from guarded_agents.state import GuardContext

T = TypeVar("T")
S = TypeVar("S")


class HomeLoop:
    """The loop on which the guard was opened; MCP sessions can be used on no other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remember *loop*, which must keep running while the guard is open."""
        self.loop = loop

    async def run(self, work: Coroutine[object, object, T]) -> T:
        """Await *work* on the home loop, from whichever loop the caller runs on."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def run_sync(self, work: Coroutine[object, object, T]) -> T:
        """Wait for *work* on the home loop, from a thread that runs no loop, or another.

        Raises WrongLoopError on the home loop itself, where waiting would never end.
        """
        if _running_loop() is self.loop:
            work.close()
            raise WrongLoopError(
                "guard",
                expected="ainvoke or astream on the guard's own event loop",
                got="a synchronous call",
                action="await the graph, or open the guard with a plain `with` and call from another thread",
            )
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def context_of(runtime: Runtime[GuardContext] | None) -> GuardContext | None:
    """Return the context of this invocation, None where it is none of ours: nobody is then known to ask."""
    context: object = None if runtime is None else runtime.context  # whatever the caller passed
    return context if isinstance(context, GuardContext) else None


NodeBody = Callable[[S, RunnableConfig, GuardContext | None], Awaitable[T]]


def dual(home: HomeLoop, name: str, body: NodeBody[S, T]) -> RunnableCallable:
    """Return a node that runs *body* under ``ainvoke`` as it is and under ``invoke`` on the home loop."""

    async def work(state: S, config: RunnableConfig, context: GuardContext | None) -> T:
        return await body(state, config, context)

    async def anode(state: S, config: RunnableConfig, runtime: Runtime[GuardContext]) -> T:
        return await body(state, config, context_of(runtime))

    def node(state: S, config: RunnableConfig, runtime: Runtime[GuardContext]) -> T:
        return home.run_sync(work(state, config, context_of(runtime)))

    return RunnableCallable(node, anode, name=name, trace=False)
