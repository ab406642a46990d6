"""What people say to a guard, signed: votes, reviews, resolutions, extensions of a plan."""

from datetime import datetime

from guarded_agents import nodes
from guarded_agents.assembly._answers import Answers
from guarded_agents.assembly._lint import AnyGraph
from guarded_agents.provenance import Plan
from guarded_agents.records import (
    Answer,
    BrokenGlass,
    Claim,
    PlanExtension,
    Resolution,
    Review,
    ReviewFinding,
    SignedPlanExtension,
    SignedResolution,
    SignedReview,
    SignedVote,
    StandingRequest,
    Verdict,
    Vote,
)


class Hearing:
    """The part of `Guard` that people talk to. What they sign is prepared here, verified, and recorded."""

    def __init__(self, services: nodes.Services, votes: nodes.Votes) -> None:
        """Hear with *services*; *votes* are the votes that the graph's own node takes too."""
        self._services, self._votes = services, votes
        self._statements, self._extensions = nodes.Statements(services), nodes.Extensions(services)
        self._answers = Answers(services, votes)

    def prepare(
        self,
        request_id: str,
        answer: Answer,
        *,
        approver: str,
        arguments: dict[str, object] | None = None,
        text: str | None = None,
        delegate: str | None = None,
    ) -> Vote:
        """Return the statement that *approver* has to sign (`guarded_agents.approval.sign`) to answer a request.

        *arguments* go with an edit; *text* is a response, a reason, or the justification of a broken glass; *delegate*
        is who answers in the approver's place.
        """
        return self._votes.prepare(
            request_id, answer, approver=approver, arguments=arguments, text=text, delegate=delegate
        )

    async def vote(self, signed: SignedVote) -> StandingRequest:
        """Record a signed vote without waking the thread; return the request that now stands.

        Raises the ApprovalError that says why it does not count, and DirectoryError where that cannot be told.
        """
        return await self._answers.vote(signed)

    async def resume(self, agent: AnyGraph, signed: SignedVote) -> StandingRequest:
        """Record a signed vote and let the waiting thread go on.

        Raises UnknownRequestError where the thread of the request does not wait for it in *agent*, and as `vote`
        where a vote does not count; the request is then as it was.
        """
        return await self._answers.resume(agent, signed)

    def resume_sync(self, agent: AnyGraph, signed: SignedVote) -> StandingRequest:
        """Do as `resume`, from a thread without an event loop (a guard opened with a plain ``with``)."""
        return self._answers.resume_sync(agent, signed)

    def prepare_review(self, request_id: str, finding: ReviewFinding, *, reviewer: str, text: str) -> Review:
        """Return the statement that *reviewer* has to sign about the broken glass of a request."""
        return self._statements.prepare_review(request_id, finding, reviewer=reviewer, text=text)

    async def review(self, signed: SignedReview) -> BrokenGlass:
        """Record a signed review of a broken glass. Raises as `vote`."""
        return await self._services.home.run(self._statements.review(signed))

    def prepare_resolution(
        self, doubt: str, verdict: Verdict, *, resolver: str, looked_at: datetime, text: str
    ) -> Resolution:
        """Return the statement that *resolver* has to sign to settle a call in doubt, looked at *looked_at* (UTC).

        *doubt* is the call's id, as `guarded_agents.approval.doubt_id` gives it for one of `doubts`.
        """
        return self._statements.prepare_resolution(doubt, verdict, resolver=resolver, looked_at=looked_at, text=text)

    async def resolve(self, signed: SignedResolution) -> Claim:
        """Settle a call in doubt by a signed resolution; return its row. Raises as `vote`."""
        return await self._services.home.run(self._statements.resolve(signed))

    def prepare_extension(self, thread: str, tool: str, *, approver: str, text: str | None = None) -> PlanExtension:
        """Return the statement that *approver* has to sign to add *tool*, "server/tool", to the plan of *thread*."""
        return self._extensions.prepare(thread, tool, approver=approver, text=text)

    async def extend_plan(self, signed: SignedPlanExtension) -> Plan:
        """Extend the plan of a thread by a signed statement; return the plan. Raises as `vote`."""
        return await self._services.home.run(self._extensions.extend(signed))
