"""`diagnose` and `repair`: do threads, requests, claims and the log still agree with one another?

A thread and its request are written by two systems, one after the other, and a process may die in between.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import StateSnapshot

from guarded_agents.assembly import GUARD_NODES, AnyGraph, Guard, waiting_of
from guarded_agents.errors import AssemblyError
from guarded_agents.moments import utc
from guarded_agents.operations._ailments import (
    GRACE,
    Ailment,
    AilmentKind,
    in_order,
    is_quiet,
    is_sending,
    of_store,
    untold,
)
from guarded_agents.operations._failure import said
from guarded_agents.records import RequestStatus, StandingRequest
from guarded_agents.stores import Delayed, Store, Swept, every_request, latest, originals

MAX_CHECKPOINTS: Final = 100_000
_WAKES_AT_ONCE: Final = 4
_WAKE_IT: Final = "wake it: `guarded-agents doctor --repair`"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` did: the requests withdrawn, the threads woken, and those that could not go on, with why."""

    swept: Swept = field(default_factory=Swept)
    withdrawn: tuple[str, ...] = ()
    woken: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    left: tuple[str, ...] = ()  # threads where something else waits, or stands otherwise, than was diagnosed


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where a thread stands."""

    thread: str
    is_known: bool  # False where the checkpointer has no checkpoint of it
    next: tuple[str, ...]  # empty at its end, and where there is no such thread
    waiting: frozenset[str]  # the requests that its interrupts name
    is_blind: bool  # it waits because the store could not be read
    stopped_at: datetime | None  # since when it stands before a node of the guard and waits for nothing

    def waits_for(self, store: Store, standing: StandingRequest) -> bool:
        """Return whether the thread waits for a request, or for one that an edit has replaced by it."""
        return any(found.request.id in self.waiting for found in originals(store, standing.request.id))


async def diagnose(
    guard: Guard,
    agent: AnyGraph | None,
    *,
    now: datetime,
    progress: Callable[[int], object] = lambda _: None,
    max_checkpoints: int = MAX_CHECKPOINTS,
) -> tuple[Ailment, ...]:
    """Return what is wrong at *now* (UTC), sorted by kind and subject; nothing is changed.

    Without *agent* only the store is looked at. Threads are found by its checkpointer, in at most
    *max_checkpoints* checkpoints, and by the requests; *progress* is called with how many are looked at so far. What
    was written less than a minute ago is passed over, for it may be under way.
    Raises StoreError, and AssemblyError for an *agent* without a checkpointer.
    """
    store = guard.store
    found = await asyncio.to_thread(of_store, store, now=now)
    silent = await asyncio.to_thread(untold, store, now=now)
    if agent is None:
        return in_order(_with_delays([*found, *(_not_told(standing) for standing in silent)], store, now))
    waiting = list(every_request(store))
    threads = {summary.thread for summary in waiting} | {standing.request.thread for standing in silent}
    if not await _add_threads(agent, threads, max_checkpoints):
        found.append(_not_looked_at(max_checkpoints))
    stands = {}
    for thread in sorted(threads):
        stands[thread] = await _stand(agent, thread)
        progress(len(stands))
        found += _of_thread(store, stands[thread], now)
    for summary in waiting:
        standing = store.request(summary.id) if summary.id not in stands[summary.thread].waiting else None
        if standing is not None and now >= standing.request.created_at + GRACE:
            found += _of_row(store, standing, stands[summary.thread])
    for standing in silent:
        found += _of_row(store, standing, stands[standing.request.thread])
    return in_order(_with_delays(found, store, now))


async def repair(guard: Guard, agent: AnyGraph, ailments: Sequence[Ailment]) -> Repaired:
    """Sweep, withdraw what no thread waits for, and wake the threads that wait for nothing; return what was done.

    Withdrawn is what was diagnosed, and only where it is still so and nothing else is open in that thread. A thread
    that the checkpointer of *agent* does not know is left alone, for it may be in another one. Nothing is approved,
    and calls in doubt and reviews are left to people. Diagnose again to see what is left.
    Raises StoreError. Run it where no other process runs the threads that are named.
    """
    concerned = [ailment for ailment in ailments if ailment.kind.is_repairable and ailment.thread is not None]
    is_late = any(ailment.kind is AilmentKind.PAST_ITS_TIME for ailment in concerned)
    swept = await guard.sweep() if is_late else Swept()
    alone = _by_thread(ailments, AilmentKind.ROW_WITHOUT_THREAD)
    waiting, withdrawn, left = _open_requests(guard.store), list[str](), list[str]()
    for thread, diagnosed in sorted(alone.items()):
        if await _is_as_diagnosed(guard.store, agent, diagnosed, waiting.get(thread, set())):
            withdrawn += await guard.cancel(thread)
        else:
            left.append(thread)
    unknown = _by_thread(ailments, AilmentKind.UNKNOWN_THREAD)
    threads = sorted({str(ailment.thread) for ailment in concerned} - alone.keys() - unknown.keys())
    results = await _wake(guard, agent, threads)
    failed = [(thread, error) for thread, error in results.items() if error is not None]
    return Repaired(
        swept,
        tuple(sorted(withdrawn)),
        tuple(thread for thread, error in results.items() if error is None),
        tuple((thread, said(error)) for thread, error in failed),
        tuple(left),
    )


def _by_thread(ailments: Sequence[Ailment], kind: AilmentKind) -> dict[str, list[Ailment]]:
    found: dict[str, list[Ailment]] = {}
    for ailment in ailments:
        if ailment.kind is kind:
            found.setdefault(str(ailment.thread), []).append(ailment)
    return found


def _open_requests(store: Store) -> dict[str, set[str]]:
    """Return the ids of the open requests by their threads."""
    found: dict[str, set[str]] = {}
    for status in (RequestStatus.PENDING, RequestStatus.APPROVED):
        for summary in every_request(store, status=status):
            found.setdefault(summary.thread, set()).add(summary.id)
    return found


async def _is_as_diagnosed(store: Store, agent: AnyGraph, diagnosed: Sequence[Ailment], waiting: set[str]) -> bool:
    """Return whether *diagnosed*, all of one thread, are found again, and name every request that *waiting* holds."""
    stand = await _stand(agent, str(diagnosed[0].thread))
    standing = [store.request(ailment.subject) for ailment in diagnosed]
    again = [ailment for found in standing if found is not None for ailment in _of_row(store, found, stand)]
    return again == list(diagnosed) and waiting <= {ailment.subject for ailment in diagnosed}


async def _wake(guard: Guard, agent: AnyGraph, threads: Sequence[str]) -> dict[str, BaseException | None]:
    free = asyncio.Semaphore(_WAKES_AT_ONCE)

    async def one(thread: str) -> None:
        async with free:
            await guard.wake(agent, thread)

    # As in the worker: no interrupt leaves the outermost ainvoke, and what the application's graph raises could be any.
    return dict(zip(threads, await asyncio.gather(*map(one, threads), return_exceptions=True), strict=True))


# -- threads -----------------------------------------------------------------------------------------


async def _add_threads(agent: AnyGraph, threads: set[str], max_checkpoints: int) -> bool:
    """Add the threads of the checkpointer to *threads*; return whether all checkpoints were looked at."""
    saver = agent.checkpointer
    if not isinstance(saver, BaseCheckpointSaver):
        raise AssemblyError(
            "graph", expected="the checkpointer that its threads are in", got="none", action="compile it with one"
        )
    seen = 0
    async for found in saver.alist(None, limit=max_checkpoints + 1):  # nothing else may be asked of it meanwhile
        threads.add(str(found.config["configurable"]["thread_id"]))
        seen += 1
    return seen <= max_checkpoints


async def _stand(agent: AnyGraph, thread: str) -> _Stand:
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    state = await agent.aget_state(config)
    return _Stand(thread, state.created_at is not None, state.next, *waiting_of(state), _stopped_at(agent, state))


def _stopped_at(agent: AnyGraph, state: StateSnapshot) -> datetime | None:
    """Return since when a process that is no more had come as far as a node of the guard, and no further."""
    at_guard = not state.interrupts and not set(GUARD_NODES).isdisjoint(state.next)
    if not at_guard or state.created_at is None or agent.interrupt_before_nodes or agent.interrupt_after_nodes:
        return None  # a breakpoint of the application's own is a person's to pass
    return datetime.fromisoformat(state.created_at)


def _of_thread(store: Store, stand: _Stand, now: datetime) -> Iterator[Ailment]:
    for request in sorted(stand.waiting):
        standing = latest(store, request)
        if standing is None:
            yield _without_row(request, stand.thread, "its thread waits for it, and the store has no such request")
        elif standing.status is not RequestStatus.PENDING and is_quiet(store, standing, now=now):
            yield _not_told(standing)
    if stand.is_blind:
        yield _without_row(stand.thread, stand.thread, "it waits because the store could not be read")
    if stand.stopped_at is not None and now >= stand.stopped_at + GRACE and not _is_busy(store, stand.thread, now):
        yield _stopped(stand.thread)


def _of_row(store: Store, standing: StandingRequest, stand: _Stand) -> Iterator[Ailment]:
    """Yield what is wrong with a request that waits or was settled, given where its thread stands."""
    is_pending = standing.status is RequestStatus.PENDING
    if stand.waits_for(store, standing) or (stand.next and not is_pending):
        if not is_pending:
            yield _not_told(standing)
    elif stand.next:
        yield _stopped(stand.thread)
    elif not stand.is_known:
        yield _unknown(standing)
    else:
        yield Ailment(
            AilmentKind.ROW_WITHOUT_THREAD,
            standing.request.id,
            f"is {standing.status.value}, and its thread is at its end",
            "withdraw it: `guarded-agents doctor --repair`",
            stand.thread,
        )


def _is_busy(store: Store, thread: str, now: datetime) -> bool:
    facts = store.thread(thread)
    return facts is not None and any(is_sending(call.claim, now=now) for call in store.calls(thread, facts.entry))


def _without_row(subject: str, thread: str, what: str) -> Ailment:
    return Ailment(AilmentKind.THREAD_WITHOUT_ROW, subject, what, _WAKE_IT, thread)


def _not_told(standing: StandingRequest) -> Ailment:
    what = f"is {standing.status.value}, and its thread was not told"
    action = "run a worker, or `guarded-agents doctor --repair`"
    return Ailment(AilmentKind.NOT_TOLD, standing.request.id, what, action, standing.request.thread)


def _with_delays(ailments: list[Ailment], store: Store, now: datetime) -> list[Ailment]:
    """Return *ailments*, of a thread that no worker takes yet with until when, and with what wakes it at once."""
    delays = {delayed.thread: delayed for delayed in store.delayed(now=now)}
    return [
        replace(ailment, action=_later(ailment.subject, delays[ailment.thread]))
        if ailment.kind is AilmentKind.NOT_TOLD and ailment.thread in delays
        else ailment
        for ailment in ailments
    ]


def _later(request: str, delayed: Delayed) -> str:
    until = utc(delayed.until)
    at_once = f"or at once: `guarded-agents approvals wake {request} --graph MODULE:FACTORY`"
    if delayed.is_leased:
        return f"its thread is leased to a worker until {until}: another one wakes it then; {at_once}"
    return f"a worker tries again at {until} to wake its thread; {at_once}"


def _unknown(standing: StandingRequest) -> Ailment:
    what = f"is {standing.status.value}, and this checkpointer knows nothing of its thread"
    action = "see whether it is the thread's own (--graph); if the thread is gone indeed, reject it or let it expire"
    return Ailment(AilmentKind.UNKNOWN_THREAD, standing.request.id, what, action, standing.request.thread)


def _stopped(thread: str) -> Ailment:
    what = "stands between two steps, and waits for nothing: its process died"
    return Ailment(AilmentKind.STOPPED, thread, what, _WAKE_IT, thread)


def _not_looked_at(max_checkpoints: int) -> Ailment:
    return Ailment(
        AilmentKind.NOT_LOOKED_AT,
        "checkpointer",
        f"has more than {max_checkpoints} checkpoints; threads that are only in older ones were not looked at",
        "look again with a larger limit",
    )
