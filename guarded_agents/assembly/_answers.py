"""The answers of people, as `Guard` takes them: recorded through the facade, and the thread woken."""

from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from guarded_agents import nodes
from guarded_agents.assembly._lint import AnyGraph
from guarded_agents.assembly._waiting import waiting_of
from guarded_agents.errors import UnknownRequestError
from guarded_agents.records import RequestStatus, SignedVote, StandingRequest
from guarded_agents.stores import originals


@dataclass(frozen=True, slots=True)
class Answers:
    """Takes votes, and lets the threads go on that waited for them."""

    services: nodes.Services
    votes: nodes.Votes

    async def vote(self, signed: SignedVote) -> StandingRequest:
        """Record a signed vote, on the guard's own loop."""
        return await self.services.home.run(self.votes.cast(signed))

    async def resume(self, agent: AnyGraph, signed: SignedVote) -> StandingRequest:
        """Record a signed vote and let the waiting thread go on."""
        standing, config = self._waiting_thread(signed)
        if standing is not None:
            self._require_waiting(await agent.aget_state(config), standing)
        settled = await self.vote(signed)
        if _shows(settled, signed):
            with self.services.telemetry.waking(settled.request.thread):
                await agent.ainvoke(None, config, durability="sync")
        return settled

    def resume_sync(self, agent: AnyGraph, signed: SignedVote) -> StandingRequest:
        """Do as `resume`, from a thread without an event loop."""
        standing, config = self._waiting_thread(signed)
        if standing is not None:
            self._require_waiting(agent.get_state(config), standing)
        settled = self.services.home.run_sync(self.votes.cast(signed))
        if _shows(settled, signed):
            with self.services.telemetry.waking(settled.request.thread):
                agent.invoke(None, config, durability="sync")
        return settled

    def _waiting_thread(self, signed: SignedVote) -> tuple[StandingRequest | None, RunnableConfig]:
        nodes.require_signed(signed, SignedVote)
        standing = self.services.store.request(signed.vote.request)
        return standing, {"configurable": {"thread_id": standing.request.thread if standing else ""}}

    def _require_waiting(self, state: StateSnapshot, standing: StandingRequest) -> None:
        """Raise UnknownRequestError unless the thread waits for *standing* or for one that it stands in place of."""
        waiting = waiting_of(state)
        named = {found.request.id for found in originals(self.services.store, standing.request.id)}
        if not waiting.is_blind and waiting.requests.isdisjoint(named):
            raise UnknownRequestError(
                f"approval {standing.request.id}",
                expected="a thread that waits for it",
                got="one that does not",
                action="look at the thread with get_state, and at the request with `guarded-agents approvals show`",
            )


def _shows(settled: StandingRequest, signed: SignedVote) -> bool:
    """Return whether the thread has something to learn: a request is settled, or an edited one stands in its place."""
    return settled.status is not RequestStatus.PENDING or settled.request.id != signed.vote.request
