"""CPU per turn over a long run: the last turns against the first (DESIGN section 9, row 4)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_mcp_adapters.tools import load_mcp_tools

from benchmarks._agents import CountingModel, Graph, reply_to, run, unguarded
from benchmarks._measure import Row, cpu_now_s, us
from benchmarks._sessions import SAVERS, saver_of, session_over
from benchmarks.factory import Variant, guarded, opened

_GROWTH: Final = 1.3


class Clocked(Runnable[Sequence[BaseMessage], AIMessage]):
    """Answers as `CountingModel` does, notes the CPU time at which it is asked, and does a fixed piece of work.

    The beginning and the end of a run cannot be interleaved: the fixed work says how much slower the machine was. It is
    no chat model: LangChain's look at every message several times a call, which would hide how the graph grows.
    """

    def __init__(self) -> None:
        """Begin with no notes."""
        self._asked_s: list[float] = []
        self._answered_s: list[float] = []

    def invoke(self, input: Sequence[BaseMessage], config: RunnableConfig | None = None, **_: object) -> AIMessage:  # noqa: A002 - LangChain's word
        """Return the next message of the script."""
        del config
        self._asked_s.append(cpu_now_s())
        _fixed_work()
        self._answered_s.append(cpu_now_s())
        return reply_to(input)

    async def ainvoke(
        self,
        input: Sequence[BaseMessage],  # noqa: A002 - LangChain's word
        config: RunnableConfig | None = None,
        **_: object,
    ) -> AIMessage:
        """Return the next message of the script."""
        return self.invoke(input, config)

    def per_turn_s(self) -> list[float]:
        """Return the CPU seconds of each turn, without the fixed work."""
        return [asked - answered for answered, asked in zip(self._answered_s, self._asked_s[1:], strict=False)]

    def fixed_s(self) -> list[float]:
        """Return the CPU seconds of the fixed work of each turn."""
        return [answered - asked for asked, answered in zip(self._asked_s, self._answered_s, strict=True)]


def _fixed_work() -> None:
    """Do what takes about 0.3 ms and allocates as graphs do."""
    for number in range(5):
        made = {f"key-{number}-{index}": [index] for index in range(200)}
        sorted(made.items(), reverse=True)


class Clockable(CountingModel):
    """A model that hands out *clocked* where tools are bound to it."""

    clocked: Clocked

    def bind_tools(self, *_: object, **__: object) -> Clocked:  # type: ignore[override]  # no chat model, see Clocked
        """Return the runnable that notes when it is asked."""
        return self.clocked


async def long_runs(*, turns: int, window: int) -> AsyncIterator[Row]:
    """Yield, for each checkpointer, how much a turn costs at the end of a run against its beginning."""
    for saver in SAVERS:
        for is_guarded in (True, False):
            async with AsyncExitStack() as stack:
                clocked = Clocked()
                graph = await _graph(stack, clocked, saver, is_guarded=is_guarded)
                await run(graph, turns)
            name = "guarded" if is_guarded else "unguarded, MessagesState"
            yield _row(f"{name}: {saver} saver", clocked, window=window, target=_GROWTH if is_guarded else None)


def _row(name: str, clocked: Clocked, *, window: int, target: float | None) -> Row:
    spent, fixed = clocked.per_turn_s(), clocked.fixed_s()
    first, last = us(spent[:window]), us(spent[-window:])
    slower = us(fixed[-window:]) / us(fixed[:window])
    return Row(
        f"{name}, {len(spent)} turns",
        last / first / slower,
        f"ratio of CPU per turn, last {window} to first {window}, over that of a fixed piece of work",
        target=target,
        more={"first_us": first, "last_us": last, "fixed_work_ratio": round(slower, 3), "run_s": round(sum(spent), 2)},
    )


async def _graph(stack: AsyncExitStack, clocked: Clocked, saver: str, *, is_guarded: bool) -> Graph:
    session = await stack.enter_async_context(session_over("memory"))
    checkpointer = await stack.enter_async_context(saver_of(saver))
    if not is_guarded:
        return unguarded(clocked, await load_mcp_tools(session), checkpointer=checkpointer)
    guard = await stack.enter_async_context(opened(session, Variant()))
    return guarded(guard, Clockable(clocked=clocked), checkpointer)
