"""The guard by itself: no graph, a server that answers at once, a real store (DESIGN section 9, row 2)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from statistics import median
from time import time_ns
from typing import Final

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import RunnableConfig
from mcp import ClientSession
from pydantic import JsonValue

from benchmarks._measure import Rounds, Row, Spent, bootstrap, timed
from benchmarks._server import ARGUMENTS, TOOL
from benchmarks._sessions import session_over
from benchmarks.factory import CONTEXT, SERVER, Variant, opened
from guarded_agents import nodes
from guarded_agents.assembly import Guard
from guarded_agents.transport import SessionTransport, ToolReply

_TEXT: Final = "The patient record shows a follow-up visit on 2026-03-14 with no adverse events noted. " * 24
_REPLY: Final = ToolReply(_TEXT, {"result": _TEXT}, is_error=False)
_CONFIG: Final[RunnableConfig] = {"configurable": {"thread_id": "alone", "__pregel_durability": "sync"}}
_ENTRY: Final = HumanMessage("look it up", id="entry")
_VARIANTS: Final = {"spans": Variant(), "no spans": Variant(spans=False)}
_TARGETS_US: Final = {"spans": 120.0}  # without spans 25 is an aim


class AtOnce(SessionTransport):
    """Lists the tools of a session, and answers every call at once without asking it."""

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
        """Return the same reply to every call."""
        del server, tool, arguments, principal, meta, timeout_s
        return _REPLY


class Alone:
    """One guard's parts, called as the graph would call them."""

    def __init__(self, guard: Guard) -> None:
        """Take the services of *guard*."""
        self._services = services = guard._services  # noqa: SLF001 - what is measured is not for users
        self._door = nodes.Door(services)
        self._plans, self._endings = nodes.Plans(services), nodes.Endings(services, self._door)
        self._screen_input = nodes.ScreenInput(services)
        self._head = services.store.audit_head()
        self._calls = 0

    async def enter(self) -> None:
        """Open the thread."""
        await self._screen_input({"messages": [_ENTRY]}, _CONFIG, CONTEXT)

    def _call(self) -> ToolCall:
        self._calls += 1  # in the number, so that each is a call of its own
        return {"name": TOOL, "args": {**ARGUMENTS, "limit": self._calls}, "id": "call", "type": "tool_call"}

    async def door(self) -> None:
        """Bind, judge and execute one call. Raises RuntimeError where it was refused."""
        services, call = self._services, self._call()
        facts = services.facts(_CONFIG, CONTEXT)
        bound = services.bind(facts, nodes.CallTask(call=call, turn=1, occurrence=0))
        judgement = services.judge(facts, bound, call["name"])
        permit, since_ns = services.permit(facts, bound, judgement, None), time_ns()
        with services.telemetry.calling(bound, judgement.decision, facts, since_ns=since_ns) as calling:
            outcome = await self._door.execute_once(bound, permit, span=calling.span)
            calling.ended(outcome, self._head)
        if outcome.is_error:
            raise RuntimeError(outcome.content)

    async def turn(self) -> None:
        """Do all that a turn does: record the proposal, route it, execute it. Raises RuntimeError as `door`."""
        message = AIMessage("", tool_calls=[self._call()], id="model")
        shown = [_ENTRY]
        await self._plans.record(shown, {"messages": [message]}, _CONFIG, CONTEXT)
        (task,) = self._plans.route({"messages": [*shown, message]}, _CONFIG, CONTEXT)
        update = await self._endings.execute(task.arg, _CONFIG, CONTEXT)
        answer = update["messages"][0]  # type: ignore[index]  # a list of one message
        if answer.status != "success":
            raise RuntimeError(answer.content)


async def alone(*, calls: int, rounds: int) -> AsyncIterator[Row]:
    """Yield what one call costs without a graph, in CPU of all threads, the writing of the log included."""
    async with session_over("memory") as session:
        for name, variant in _VARIANTS.items():
            async with opened(session, variant, transport=_at_once) as guard:
                parts = Alone(guard)
                await parts.enter()
                spent = Rounds({"door": _many(parts.door, calls), "turn": _many(parts.turn, calls)})
                await spent.run(rounds)
            yield _row(f"bind, judge, door: {name}", spent.values("door"), _TARGETS_US.get(name))
            yield _row(f"record, route, execute: {name}", spent.values("turn"), None)


def _at_once(session: ClientSession) -> SessionTransport:
    return AtOnce({SERVER: session})


def _many(work: Callable[[], Awaitable[None]], calls: int) -> Callable[[], Awaitable[Spent]]:
    async def batch() -> None:
        for _ in range(calls):
            await work()

    return partial(timed, batch, units=calls)


def _row(name: str, spent_s: list[float], target_us: float | None) -> Row:
    low, high = bootstrap(spent_s)
    return Row(name, median(spent_s) * 1e6, "us of CPU per call", target_us, (low * 1e6, high * 1e6))
