"""`Worker`: sweeps, wakes threads whose requests were settled, delivers notices; one or several side by side."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Final, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from guarded_agents.assembly import AnyGraph, Guard, Waiting, waiting_of
from guarded_agents.audit import Kind
from guarded_agents.errors import GuardError, StoreError
from guarded_agents.notify import Delivered, Notifier, deliver
from guarded_agents.operations._failure import said
from guarded_agents.records import Notice
from guarded_agents.stores import AuditNote, Delayed, Swept, Wake

LEASE_S: Final = 600.0  # a thread that is woken is its worker's for so long; a dead worker's comes back after it
_FIRST_WAIT: Final = timedelta(seconds=5)  # before a thread that could not go on is woken again; doubled each time
_LONGEST_WAIT: Final = timedelta(hours=1)
_DOUBLINGS: Final = 10  # more than lead to the longest wait
_SHARE: Final = 0.9  # of the lease, for running; the rest is for ending what was cancelled
_STAYS: Final = "it does not go on: see what `guarded-agents doctor` says of it"
_ELSEWHERE: Final = (
    "this checkpointer knows nothing of it: it is left to the worker of its own graph; if this is that graph,"
    " see what `guarded-agents doctor` says of it"
)


class _Result(Enum):
    """What came of waking a thread."""

    WENT_ON = auto()
    STAYED = auto()  # it is at its end, or waits for something else
    NOT_HERE = auto()  # the checkpointer has no checkpoint of it
    TOLD_BEFORE = auto()  # it had been told already


class Failure(NamedTuple):
    """A thread that was woken and did not go on, and why: the name of what was raised, or an error of ours."""

    thread: str
    error: str


@dataclass(frozen=True, slots=True)
class Round:
    """What a worker did. *problems* are steps that the store refused; the next round takes them up again.

    *delayed* are the threads that are due and not to be woken yet, as they stand after `Worker.run_once`.
    """

    swept: Swept = field(default_factory=Swept)
    woken: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    delivered: Delivered = field(default_factory=Delivered)
    problems: tuple[str, ...] = ()
    delayed: tuple[Delayed, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Return whether there was nothing to do."""
        return self == Round(delayed=self.delayed)


@dataclass(slots=True)
class _Work:
    """A round while it is under way."""

    swept: Swept = field(default_factory=Swept)
    woken: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    delivered: Delivered = field(default_factory=Delivered)
    problems: list[str] = field(default_factory=list)
    delayed: tuple[Delayed, ...] = ()
    stayed: set[str] = field(default_factory=set)  # threads that were woken and did not go on

    def done(self) -> Round:
        return Round(
            self.swept,
            tuple(sorted(self.woken)),
            tuple(sorted(self.failed)),
            self.delivered,
            tuple(sorted(self.problems)),
            self.delayed,
        )


class Worker:
    """Does what nobody waits for, in rounds.

    Each thread and each notice is leased in the store while it is worked on, so that workers of any number of
    processes never wake one thread at the same time, and what a worker leaves behind when it dies is taken up by
    another when its lease ends. A thread that a round wakes is told what the store says; nothing here decides.
    """

    def __init__(
        self,
        guard: Guard,
        agent: AnyGraph,
        *,
        notifier: Notifier | None = None,
        owner: str | None = None,
        concurrency: int = 4,
        lease_s: float = LEASE_S,
    ) -> None:
        """Keep what it works with. Use it on an event loop that *agent*'s checkpointer can be used on.

        Without a *notifier* notices stay in the outbox. *owner* tells workers apart, by default by chance. At most
        *concurrency* threads run at once, each for less than *lease_s* seconds: one that takes longer is cancelled,
        goes on from its last step when it is woken again, and a call that was being sent is settled all the same.
        """
        self._guard, self._agent, self._notifier = guard, agent, notifier
        self._owner = owner or secrets.token_hex(8)
        self._concurrency, self._lease_s = max(1, concurrency), lease_s
        self._tries: dict[str, int] = {}  # how often a thread was woken and did not go on
        self._unreadable = frozenset[str]()  # notices that were reported once
        self._elsewhere: dict[str, datetime] = {}  # threads that the graph does not know: not looked at again before

    async def run_once(self) -> Round:
        """Sweep, then wake every thread that is to be told something, and deliver what is due.

        An error of a thread or of the store is in the result, not raised, and is taken up again in a later round.
        """
        work = _Work()
        await self._sweep(work)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver(work))
            for slot in range(self._concurrency):
                group.create_task(self._wake_all(work, slot))
        try:
            work.delayed = self._guard.store.delayed(now=self._guard.now())
        except StoreError as error:
            work.problems.append(f"wakes: {error}")
        return work.done()

    async def run(
        self, *, every_s: float, stop: asyncio.Event, report: Callable[[Round], object] = lambda _: None
    ) -> None:
        """Work until *stop* is set, looking for work every *every_s* seconds; then finish what is under way.

        Sweeping, each slot for a thread and the delivery go on independently, so that a slow thread or a receiver
        that does not answer holds up nothing else. *report* is called with what each of them did.
        """
        steps: list[Callable[[_Work], Awaitable[None]]] = [self._sweep]
        steps += [partial(self._wake_all, slot=slot, stop=stop) for slot in range(self._concurrency)]
        if self._notifier is not None:
            steps.append(self._deliver)
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(_again_and_again(step, every_s=every_s, stop=stop, report=report))

    async def _sweep(self, work: _Work) -> None:
        try:
            work.swept = await self._guard.sweep()
        except GuardError as error:
            work.problems.append(f"sweep: {error}")

    async def _deliver(self, work: _Work) -> None:
        if self._notifier is None:
            return
        work.delivered = await deliver(
            self._guard.store, self._notifier, owner=self._owner, now=self._guard.now, give_up=self._note_given_up
        )
        if work.delivered.problem is not None:
            work.problems.append(f"notices: {work.delivered.problem}")
        try:
            unreadable = frozenset(found.id for found in self._guard.store.stuck_notices() if not found.is_readable)
        except StoreError as error:
            work.problems.append(f"notices: {error}")
            return
        if unreadable - self._unreadable:
            work.problems.append(
                "notices: some cannot be read, and are not told: see what `guarded-agents doctor` says"
            )
        self._unreadable = unreadable

    async def _note_given_up(self, notice: Notice, reason: str) -> None:
        fields = {
            "notice": notice.id,
            "kind": notice.kind.value,
            "request": notice.request,
            "to": notice.to,
            "attempt": notice.attempt,
            "reason": reason,
        }
        await self._guard.store.append([AuditNote(Kind.NOTICE, fields)], now=self._guard.now())

    async def _wake_all(self, work: _Work, slot: int, stop: asyncio.Event | None = None) -> None:
        """Take threads one by one and wake them, until none is left or *stop* is set."""
        owner = f"{self._owner}-{slot}"
        try:
            while stop is None or not stop.is_set():
                now = self._guard.now()
                until = now + timedelta(seconds=self._lease_s)
                wake = await self._guard.store.take_wake(owner=owner, until=until, now=now, skip=self._left_alone(now))
                if wake is None:
                    break
                await self._wake(work, wake, owner)
        except GuardError as error:
            work.problems.append(f"wakes: {error}")

    def _left_alone(self, now: datetime) -> list[str]:
        """Return the threads of other graphs that are not looked at now; what was told there meanwhile is forgotten."""
        for thread in [thread for thread, at in self._elsewhere.items() if at + _LONGEST_WAIT <= now]:
            del self._elsewhere[thread]
            self._tries.pop(thread, None)
        return [thread for thread, at in self._elsewhere.items() if now < at]

    async def _wake(self, work: _Work, wake: Wake, owner: str) -> None:
        """Wake a thread that is leased to *owner*, and end the lease."""
        thread, store = wake.thread, self._guard.store
        result = await self._tried(wake) if thread not in work.stayed else _STAYS
        again_at = None
        if result is _Result.NOT_HERE:
            self._elsewhere[thread] = self._failed(work, Failure(thread, _ELSEWHERE))
            await store.give_back(wake, owner=owner, now=self._guard.now())
            return
        if isinstance(result, str):
            again_at = self._failed(work, Failure(thread, result))
        elif result is _Result.STAYED:
            work.stayed.add(thread)  # it is taken again in this round if the store still says that it is to be told
        else:
            self._tries.pop(thread, None)
            work.woken += [thread] if result is _Result.WENT_ON else []
        await store.woken(thread, owner=owner, again_at=again_at)

    async def _tried(self, wake: Wake) -> _Result | str:
        """Wake a thread; return what came of it, or how it failed."""
        # No `except` around what executes: an interrupt never leaves the outermost ainvoke (LangGraph's loop
        # keeps it and returns), so that whatever is raised here is an error of the application's graph, its model or
        # its checkpointer, which could be any. gather hands it over as a value, and lets a cancellation of
        # this task and KeyboardInterrupt through.
        running = asyncio.wait_for(self._go_on(wake), self._lease_s * _SHARE)
        (result,) = await asyncio.gather(running, return_exceptions=True)
        return said(result) if isinstance(result, BaseException) else result

    def _failed(self, work: _Work, failure: Failure) -> datetime:
        work.failed.append(failure)
        tries = self._tries[failure.thread] = self._tries.get(failure.thread, 0) + 1
        return self._guard.now() + min(_FIRST_WAIT * (1 << min(tries - 1, _DOUBLINGS)), _LONGEST_WAIT)

    async def _go_on(self, wake: Wake) -> _Result:
        config: RunnableConfig = {"configurable": {"thread_id": wake.thread}}
        state = await self._agent.aget_state(config)
        if state.created_at is None:
            return _Result.NOT_HERE
        if wake.is_told and not state.interrupts:
            return _Result.TOLD_BEFORE  # it went on long ago, and whoever runs it now is not disturbed
        await self._guard.wake(self._agent, wake.thread)
        if _stand(await self._agent.aget_state(config)) != _stand(state):
            return _Result.WENT_ON
        return _Result.TOLD_BEFORE if wake.is_told else _Result.STAYED


def _stand(state: StateSnapshot) -> tuple[object, Waiting]:
    """Return what changes where a thread goes on: its checkpoint, or (siblings still wait) what it waits for."""
    return state.config.get("configurable", {}).get("checkpoint_id"), waiting_of(state)


async def _again_and_again(
    step: Callable[[_Work], Awaitable[None]],
    *,
    every_s: float,
    stop: asyncio.Event,
    report: Callable[[Round], object],
) -> None:
    while not stop.is_set():
        work = _Work()
        await step(work)
        report(work.done())
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
