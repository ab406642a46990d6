"""What an attack is run on: a deployment, its guarded graph and a real server process, driven sync or async.

The server (a process over stdio, on a real database) is started once for each way of calling and serves every
case; policy, store and threads are a case's own. What happened is read from the server's database.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import Answer, ConfigurationError, Guard, GuardContext
from guarded_agents.assembly import GuardOpener
from guarded_agents.transport import AdapterTransport, ObservedTool, ToolReply, ToolTransport, load_servers
from tests.support.bank import CONTEXT, Bank, asked, model, thread, waiting

TOPUP = {"account": "B", "amount_cents": 5}
WIRE = {"account": "ACME", "amount_cents": 900}
LARGE = {"account": "mallory", "amount_cents": 99_999}
HAPPENED_TOPUP, HAPPENED_WIRE = ("topup", "B", 5), ("wire", "ACME", 900)
Done = list[tuple[str, str, int]]
_GUARDS = ("vote", "observe", "review", "resolve", "cancel", "sweep")  # methods of the guard that need no graph


def forged(name: str, args: object, *, turn: int = 1, occurrence: int = 0, call_id: str = "call-0") -> dict[str, Any]:
    """Return a payload as `Send` takes it, made up by whoever can route."""
    call = {"name": name, "args": args, "id": call_id, "type": "tool_call"}
    return {"call": call, "turn": turn, "occurrence": occurrence}


class Wires:
    """A transport that lends out one that stays open, and that a case can exchange or break."""

    def __init__(self, lent: ToolTransport) -> None:
        self.lent = lent
        self.fails: Exception | None = None
        self.alter: Callable[[ToolReply], ToolReply] = lambda reply: reply
        self.sent: list[tuple[str, str]] = []

    @property
    def servers(self) -> tuple[str, ...]:
        return self.lent.servers

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        return await self.lent.list_tools(server, principal=principal)

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any], **more: Any) -> ToolReply:
        if self.fails is not None:
            raise self.fails
        self.sent.append((server, tool))
        return self.alter(await self.lent.call(server, tool, arguments, **more))

    async def aclose(self) -> None:
        """Leave it open for the next case."""


class Line:
    """A way of calling: an event loop, on the caller's thread (async) or another (sync), and what was started on it."""

    def __init__(self, mode: str, template: Path, folder: Path) -> None:
        self.mode, self.template, self.folder = mode, template, folder
        self.bank = Bank(folder, None)  # type: ignore[arg-type]  # only its database is used
        self._runner: asyncio.Runner | None = None
        self._portal: AbstractContextManager[BlockingPortal] | None = None
        self._caller: BlockingPortal | None = None
        self._transports: dict[str, AdapterTransport] = {}

    def __enter__(self) -> Self:
        if self.mode == "async":
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        else:
            self._portal = start_blocking_portal()
            self._caller = self._portal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._transports.values():
            self.wait(transport.aclose())
        if self._runner is not None:
            self._runner.close()
        if self._portal is not None:
            self._portal.__exit__(kind, error, trace)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run *work* to its end on the loop that the guards are opened on."""
        if self._runner is not None:
            return self._runner.run(work)

        async def awaited() -> Any:
            return await work

        assert self._caller is not None
        return self._caller.call(awaited)

    def transport(self, servers: Mapping[str, object] | None = None, *, name: str = "") -> AdapterTransport:
        """Return the open transport called *name*; its servers are started at their first use."""
        if name not in self._transports:
            self._transports[name] = AdapterTransport(load_servers(servers or self.bank.servers()))
        return self._transports[name]


class Post:
    """One guard and its graph, called as its line calls."""

    def __init__(self, line: Line, guard: Guard, agent: Any, wires: Any) -> None:
        self.line, self.guard, self.agent, self.wires = line, guard, agent, wires

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call the graph's method *name*, or its async twin."""
        if self.line.mode == "async":
            return self.line.wait(self._acall(name, *args, **kwargs))
        return self._call(name, *args, **kwargs)

    async def _acall(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in ("resume", "wake", *_GUARDS):
            agent = () if name in _GUARDS else (self.agent,)
            return await getattr(self.guard, name)(*agent, *args)
        found = getattr(self.agent, f"a{name}")(*args, **kwargs)
        return [part async for part in found] if hasattr(found, "__aiter__") else await found

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "resume":
            return self.guard.resume_sync(self.agent, *args)
        if name in _GUARDS:
            return self.line.wait(getattr(self.guard, name)(*args))
        if name == "wake":
            return self.agent.invoke(None, thread(*args))
        found = getattr(self.agent, name)(*args, **kwargs)
        return list(found) if name in ("stream", "get_state_history") else found

    def race(self, *calls: tuple[Any, ...]) -> list[Any]:
        """Start every (name, argument …) of *calls* at once; return the results, or the exceptions."""
        if self.line.mode == "async":

            async def together() -> list[Any]:
                return await asyncio.gather(*(self._acall(*call) for call in calls), return_exceptions=True)

            return list(self.line.wait(together()))
        with ThreadPoolExecutor(len(calls)) as pool:
            futures = [pool.submit(self._call, *call) for call in calls]
            return [future.exception() or future.result() for future in futures]

    # -- in the words of the tests --------------------------------------------------------------

    def run(
        self, inputs: Any = None, *, at: Any = None, context: GuardContext | None = CONTEXT, **more: Any
    ) -> dict[str, Any]:
        """Invoke the graph on thread t1, or at the config *at*."""
        found: dict[str, Any] = self.call("invoke", inputs, at or thread(), context=context, **more)
        return found

    def ask(self, text: str = "please", **more: Any) -> dict[str, Any]:
        return self.run(asked(text), **more)

    def state(self, at: Any = None, **more: Any) -> Any:
        return self.call("get_state", at or thread(), **more)

    def history(self, at: Any = None) -> list[Any]:
        """Return every checkpoint of the thread, newest first."""
        return list(self.call("get_state_history", at or thread()))

    def update(self, values: Any, *, at: Any = None, as_node: str | None = None) -> Any:
        return self.call("update_state", at or thread(), values, as_node)

    def waits(self, at: Any = None) -> list[str]:
        return waiting(self.state(at))

    def failing(self, name: str, *args: Any, **more: Any) -> Exception | None:
        """Call *name* where an attack may be stopped by an error as well; return that error."""
        try:
            getattr(self, name)(*args, **more)
        except Exception as error:  # noqa: BLE001 - whatever stopped the attack; the effects are what counts
            return error
        return None

    def press(self) -> None:
        """Try what lets the thread go on, from everywhere."""
        for _ in range(2):
            self.failing("call", "wake", "t1")
        for snapshot in self.history():
            self.failing("run", at=snapshot.config)


class Siege:
    """One case: a deployment of its own on the line's server."""

    def __init__(self, line: Line, bank: Bank) -> None:
        self.line, self.bank = line, bank
        self._before = len(line.bank.effects())
        self._opened: list[GuardOpener] = []

    @property
    def effects(self) -> Done:
        """Return what happened in the server's database since the case began."""
        return self.line.bank.effects()[self._before :]

    def open(self, *script: Any, saver: Any = None, wires: Any = None, build: Any = None, **changes: Any) -> Post:
        """Open a guard over the line's server. *build* makes the graph from the guard, by default a tool loop."""
        wires = wires or Wires(self.line.transport())
        opener = self.bank.open(transport=wires, **changes)
        guard = self.line.wait(opener.__aenter__())  # what `with` does, but on a loop that outlives the case
        self._opened.append(opener)
        agent = build(guard) if build else guard.agent(model(*script), checkpointer=saver or InMemorySaver())
        return Post(self.line, guard, agent, wires)

    def failing_open(self, *script: Any, **changes: Any) -> Post | None:
        """Do as `open`; return None where the guard does not even open."""
        try:
            return self.open(*script, **changes)
        except ConfigurationError:
            return None

    def signed(self, post: Post, request: str, answer: Answer = Answer.APPROVE, **more: Any) -> Any:
        return self.bank.signed(post.guard, request, answer, **more)

    def approve(self, post: Post, request: str | None = None, at: Any = None, **more: Any) -> Any:
        """Approve what waits, as ana, and let the thread go on."""
        [waits] = post.waits(at) if request is None else [request]
        return post.call("resume", self.signed(post, waits, **more))

    def policy(self, *changes: tuple[str, str]) -> None:
        """Write the policy again with each (old, new) replaced."""
        path = self.bank.folder / "policy.yaml"
        text = path.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)

    def close(self) -> None:
        """Close the guards that are open."""
        while self._opened:
            self.line.wait(self._opened.pop().__aexit__(None, None, None))

    def forget(self) -> None:
        """Leave the guards as they are: their files were broken under them."""
        self._opened.clear()


def statuses(post: Post, requests: Sequence[str]) -> list[str]:
    """Return where each of *requests* stands in the store."""
    found = [post.guard.store.request(request) for request in requests]
    return [str(standing.status) for standing in found if standing is not None]
