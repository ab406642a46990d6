"""Sign an answer, record it, and wake the thread that waits for it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from guarded_agents.approval import check_words, closed
from guarded_agents.cli._graph import application
from guarded_agents.cli._opened import standing_request, voting_guard
from guarded_agents.cli._options import Deployment
from guarded_agents.cli._people import cast_votes, check_breaker, says_why
from guarded_agents.cli._prove import Prover
from guarded_agents.cli._report import waiting
from guarded_agents.errors import (
    ApprovalError,
    DirectoryError,
    GuardError,
    StoreError,
    UnknownRequestError,
)
from guarded_agents.records import Answer, RequestStatus, StandingRequest

if TYPE_CHECKING:
    from guarded_agents import Guard
    from guarded_agents.assembly import AnyGraph


@dataclass(frozen=True, slots=True)
class Reply:
    """What an approver answers, and what proves it is them."""

    answer: Answer
    approver: str
    prover: Prover
    arguments: dict[str, object] | None = None
    text: str | None = None
    delegate: str | None = None


class Settled(NamedTuple):
    """What stands after an answer, and what the agent said last where its thread is at its end."""

    standing: StandingRequest
    said: str | None = None


async def vote(deployment: Deployment, request_id: str, reply: Reply, *, graph: str | None) -> Settled | None:
    """Record the reply and, with *graph* (``module:factory``), let the thread go on; return what now stands.

    None where the statement was kept and nothing was sent. Whatever is wrong is raised before the vote is recorded:
    ConfigurationError, StoreError, ApprovalError.
    """
    async with voting_guard(deployment) as guard:
        return await cast(deployment, guard, request_id, reply, graph=graph)


async def vote_all(
    deployment: Deployment, request_ids: Sequence[str], reply: Reply, *, graph: str | None
) -> tuple[list[Settled], list[GuardError]]:
    """Record one vote for each request; return what stands of each, and why the others' votes do not count."""
    settled: list[Settled] = []
    failed: list[GuardError] = []
    async with voting_guard(deployment) as guard:
        for request_id in request_ids:
            try:
                found = await cast(deployment, guard, request_id, reply, graph=graph)
            except (ApprovalError, DirectoryError) as error:
                failed.append(error)
            else:
                settled += [] if found is None else [found]
    return settled, failed


async def cast(
    deployment: Deployment, guard: "Guard", request_id: str, reply: Reply, *, graph: str | None
) -> Settled | None:
    """Do as `vote`, with a guard that is open. What needs no proof is checked before one is made."""
    await asyncio.to_thread(_require_pending, deployment, guard, request_id)  # it runs a loop of its own
    prepared = guard.prepare(
        request_id,
        reply.answer,
        approver=reply.approver,
        arguments=reply.arguments,
        text=reply.text,
        delegate=reply.delegate,
    )
    check_words(prepared)
    if reply.answer is Answer.BREAK_GLASS:
        check_breaker(prepared, standing_request(guard.store, request_id), guard.store, at=deployment)
    if reply.prover.keep(prepared):
        return None
    signed = reply.prover.of_vote(prepared)
    if graph is None:
        return Settled(await guard.vote(signed))
    thread = standing_request(guard.store, request_id).request.thread
    async with opened_graph(graph, deployment, thread=thread) as agent:
        standing = await guard.resume(agent, signed)
        return Settled(standing, await last_words(agent, thread))


async def answer_all(
    deployment: Deployment, agent: "AnyGraph", thread: str, reply: Reply, *, max_answers: int
) -> tuple[str, ...]:
    """Answer whatever *thread* waits for, and what it then waits for, all alike; return the ids of the requests."""
    answered: list[str] = []
    async with voting_guard(deployment) as guard:
        while len(answered) < max_answers and (waits := waiting(guard.store, thread)):
            prepared = guard.prepare(waits[0], reply.answer, approver=reply.approver)
            await guard.resume(agent, reply.prover.of_vote(prepared))
            answered.append(waits[0])
    return tuple(answered)


def _require_pending(deployment: Deployment, guard: "Guard", request_id: str) -> None:
    """Raise RequestClosedError for a request that is settled: told before any server is started for it."""
    standing = standing_request(guard.store, request_id)
    if standing.status is not RequestStatus.PENDING:
        votes = cast_votes(guard.store.votes(request_id), standing.request, at=deployment, now=guard.now())
        raise closed(standing, standing.status, why=standing.text if says_why(standing, votes) else None)


async def wake(deployment: Deployment, request_id: str, *, graph: str) -> Settled:
    """Let the thread of a request that was answered already go on; return the request. It casts no vote."""
    async with voting_guard(deployment) as guard:
        standing = standing_request(guard.store, request_id)
        thread = standing.request.thread
        async with opened_graph(graph, deployment, thread=thread) as agent:
            state = await agent.aget_state({"configurable": {"thread_id": thread}})
            if not state.next:
                raise UnknownRequestError(
                    f"approval {request_id}",
                    expected="a thread that is not at its end",
                    got="one that is, or none",
                    action="look at it with `guarded-agents approvals show`, and check --graph",
                )
            await guard.wake(agent, thread)
            return Settled(standing, await last_words(agent, thread))


async def last_words(agent: "AnyGraph", thread: str) -> str | None:
    """Return what the agent said last, None where its thread goes on."""
    from langchain_core.messages import AIMessage

    state = await agent.aget_state({"configurable": {"thread_id": thread}})
    messages = state.values.get("messages") or [None]
    return messages[-1].text if not state.next and isinstance(messages[-1], AIMessage) else None


@asynccontextmanager
async def opened_graph(
    name: str, deployment: Deployment, *, thread: str | None = None, option: str = "--graph"
) -> AsyncIterator["AnyGraph"]:
    """Open the application's graph, which *option* has named.

    Its own database, with the checkpointer, is told of as every other one is.
    """
    with _told(name):
        async with application(name, thread=thread, store=deployment.store, option=option) as agent:
            yield agent


@contextmanager
def _told(graph: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"checkpointer of {graph}",
            expected="a database that can be used",
            got=getattr(error, "sqlite_errorname", type(error).__name__),
            action="check its file, then run `guarded-agents approvals wake`",
        ) from error


__all__ = ["Reply", "Settled", "answer_all", "cast", "last_words", "opened_graph", "vote", "vote_all", "wake"]
