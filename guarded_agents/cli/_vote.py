"""Sign an answer, record it, and wake the thread that waits for it."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guarded_agents.cli._graph import application
from guarded_agents.cli._report import waiting
from guarded_agents.cli._store import require_store, standing_request
from guarded_agents.errors import ConfigurationError, RequestClosedError, StoreError, UnknownRequestError
from guarded_agents.keys import RootKey, read_key_file
from guarded_agents.records import Answer, RequestStatus, SignedVote, StandingRequest

if TYPE_CHECKING:
    from guarded_agents import Guard
    from guarded_agents._lint import AnyGraph


@dataclass(frozen=True, slots=True)
class Deployment:
    """The files of a guard. A file that is None lies beside the store, under its usual name."""

    store: Path
    policy: Path | None = None
    lockfile: Path | None = None
    root_key: Path | None = None

    @property
    def folder(self) -> Path:
        """Return the folder of the store."""
        return self.store.resolve().parent


@dataclass(frozen=True, slots=True)
class Ballot:
    """What an approver answers, before it is signed."""

    answer: Answer
    approver: str
    key: Path  # their private key
    arguments: dict[str, object] | None = None
    text: str | None = None


class Settled(NamedTuple):
    """What stands after an answer, and what the agent said last where its thread is at its end."""

    standing: StandingRequest
    said: str | None = None


@asynccontextmanager
async def voting_guard(deployment: Deployment) -> AsyncIterator["Guard"]:
    """Open a guard that judges and votes and starts no server. Raises ConfigurationError and StoreError."""
    from guarded_agents import Guard
    from guarded_agents.catalog import load_lockfile
    from guarded_agents.transport import ReviewedTransport

    require_store(deployment.store)
    root_key = deployment.root_key or deployment.store.with_name(f"{deployment.store.name}.key")
    RootKey.load(root_key, create=False)  # a key made here would fit no request
    lockfile = deployment.lockfile or deployment.folder / "tools.lock"
    reviewed = load_lockfile(_read(lockfile), source=str(lockfile))
    async with Guard.open(
        deployment.policy or deployment.folder / "policy.yaml",
        lockfile=lockfile,
        store=deployment.store,
        transport=ReviewedTransport(reviewed),
        root_key=root_key,
    ) as guard:
        yield guard


async def vote(deployment: Deployment, request_id: str, ballot: Ballot, *, graph: str | None) -> Settled:
    """Record the ballot and, with *graph* (``module:factory``), let the thread go on; return what now stands.

    Whatever is wrong is raised before the vote is recorded: ConfigurationError, StoreError, ApprovalError.
    """
    private_key = _private_key(ballot)
    async with voting_guard(deployment) as guard:
        _require_pending(guard, request_id)
        signed = _signed(guard, request_id, ballot, private_key)
        if graph is None:
            return Settled(await guard.vote(signed))
        thread = standing_request(guard.store, request_id).request.thread
        with _told(graph):
            async with application(graph, thread=thread, store=deployment.store) as agent:
                standing = await guard.resume(agent, signed)
                return Settled(standing, await last_words(agent, thread))


async def answer_all(
    deployment: Deployment, agent: "AnyGraph", thread: str, ballot: Ballot, *, max_answers: int
) -> tuple[str, ...]:
    """Answer whatever *thread* waits for, and what it then waits for, all alike; return the ids of the requests."""
    answered: list[str] = []
    private_key = _private_key(ballot)
    async with voting_guard(deployment) as guard:
        while len(answered) < max_answers and (waits := waiting(guard.store, thread)):
            await guard.resume(agent, _signed(guard, waits[0], ballot, private_key))
            answered.append(waits[0])
    return tuple(answered)


def _require_pending(guard: "Guard", request_id: str) -> None:
    """Raise RequestClosedError for a request that is settled: told before any server is started for it."""
    standing = standing_request(guard.store, request_id)
    if standing.status is not RequestStatus.PENDING:
        raise RequestClosedError(
            f"approval {request_id}",
            expected="one that is pending",
            got=standing.status.value,
            action="look at it with `approvals show`; if its thread still waits, `approvals wake` lets it go on",
        )


def _private_key(ballot: Ballot) -> Ed25519PrivateKey:
    """Return the approver's key, before anything is opened. Raises ConfigurationError that names the file."""
    from guarded_agents import load_private_key

    try:
        return load_private_key(read_key_file(ballot.key))
    except ConfigurationError as error:
        if error.subject == str(ballot.key):
            raise
        raise ConfigurationError(str(ballot.key), expected=error.expected, got=error.got, action=error.action) from None


def _signed(guard: "Guard", request_id: str, ballot: Ballot, private_key: Ed25519PrivateKey) -> SignedVote:
    from guarded_agents import sign

    prepared = guard.prepare(
        request_id, ballot.answer, approver=ballot.approver, arguments=ballot.arguments, text=ballot.text
    )
    return sign(prepared, private_key)


async def wake(deployment: Deployment, request_id: str, *, graph: str) -> Settled:
    """Let the thread of a request that was answered already go on; return the request. It casts no vote."""
    async with voting_guard(deployment) as guard:
        standing = standing_request(guard.store, request_id)
        thread = standing.request.thread
        with _told(graph):
            async with application(graph, thread=thread, store=deployment.store) as agent:
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


@contextmanager
def _told(graph: str) -> Iterator[None]:
    """Tell of the application's own database, which the checkpointer is in, as of every other one."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"checkpointer of {graph}",
            expected="a database that can be used",
            got=getattr(error, "sqlite_errorname", type(error).__name__),
            action="check its file, then run `guarded-agents approvals wake`",
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        got = error.strerror or type(error).__name__
        raise ConfigurationError(str(path), expected="a lockfile", got=got, action="name one with --lockfile") from None


__all__ = ["Ballot", "Deployment", "Settled", "answer_all", "last_words", "vote", "voting_guard", "wake"]
