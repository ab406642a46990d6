"""The approval subgraph: ``hold`` decides and records, ``ask`` waits, then ``execute`` or ``refuse`` (FACTS F32)."""

from collections.abc import Awaitable, Generator
from contextlib import suppress
from dataclasses import replace
from typing import Final, Literal, cast

from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import RunnableConfig
from langgraph._internal._runnable import RunnableCallable  # LangGraph offers no public dual node
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from pydantic import JsonValue

from guarded_agents.approval import ResumeAnswer, changed_payload, interrupt_payload, is_intact, open_request
from guarded_agents.binding import parse
from guarded_agents.catalog import CatalogTool
from guarded_agents.errors import ApprovalError, BindingError, DirectoryError, GuardError, StoreError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._execute import Endings, Standing, unavailable
from guarded_agents.nodes._loop import HomeLoop, context_of, dual
from guarded_agents.nodes._services import CallTask, Services
from guarded_agents.nodes._tokens import Tokens
from guarded_agents.nodes._told import refusal
from guarded_agents.nodes._votes import Votes
from guarded_agents.records import AccessRequest, ApprovalRequest, Outcome, Reason, RequestStatus, StandingRequest
from guarded_agents.state import GuardContext, GuardedState
from guarded_agents.stores import Told, latest
from guarded_agents.telemetry import time_ns

Next = Literal["ask", "execute", "refuse"]
Steps = Generator[Awaitable[StandingRequest], StandingRequest, Command[Next]]
_NOT_ASKED: Final = frozenset(
    {Reason.COALESCED, Reason.ALREADY_REJECTED, Reason.QUEUE_FULL, Reason.DIRECTORY_UNAVAILABLE}
)
HOW: Final = "sign the vote over `digest`, then guard.resume or `guarded-agents approvals`"


class ApprovalState(GuardedState, CallTask):
    """The state of one call's approval: its task, and what it writes to the parent."""


class Approval:
    """The bodies of ``hold`` and ``ask``."""

    def __init__(self, services: Services, endings: Endings, votes: Votes, home: HomeLoop) -> None:
        """Keep what the bodies work with."""
        self._services, self._endings, self._votes, self._home = services, endings, votes, home

    async def hold(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> Command[Next]:
        """Write the request row, once, before anybody is asked."""
        since_ns, standing = time_ns(), self._endings.derive(task, config, context)
        if isinstance(standing, Reason) or not standing.judgement.decision.permitted:
            return Command(goto="refuse")
        tool, decision = standing.judgement.tool, standing.judgement.decision
        if tool is None or decision.approval is None:
            return Command(goto="execute")
        if standing.request is not None:
            return Command(goto="ask")  # it was written before: a replay, or a task that somebody made up
        try:
            held = await self._held(standing, tool, decision.approval.group, since_ns=since_ns)
        except DirectoryError:
            held = Told(Reason.DIRECTORY_UNAVAILABLE)
        except (ApprovalError, StoreError):  # too few could answer it, or it cannot be recorded
            return Command(goto="refuse")
        if isinstance(held, Told) and held.reason in _NOT_ASKED:
            retry_at = None if held.reason is Reason.COALESCED else held.retry_at
            return await self._closed(standing, refusal(held.reason, retry_at=retry_at))
        settled = isinstance(held, Told) and not held.waiting  # an edit may wait on in its place: `ask` follows it
        return Command(goto="execute" if settled else "ask")

    async def _held(
        self, standing: Standing, tool: CatalogTool, group: str, *, since_ns: int
    ) -> StandingRequest | Told:
        """Write the request; who may answer it the directory says.

        Raises ApprovalError, DirectoryError and StoreError.
        """
        services, call, facts, decision = self._services, standing.call, standing.facts, standing.judgement.decision
        with services.telemetry.holding(call, decision, facts, since_ns=since_ns) as scope:
            members = await services.people.members(group)
            now = services.now()
            access = AccessRequest(facts.requester, facts.tenant, tool.ref, call.arguments, facts.labels)
            request = open_request(call, access, decision, members=members, key=services.request_key, now=now)
            note, limits = _notes.held(call, facts, decision, request), services.queue(group)
            held = await services.store.hold(request, note, limits=limits, now=now, trace=scope.context)
            status = held.reason.value if isinstance(held, Told) else held.status.value
            services.telemetry.held(scope, call, decision, status, None if isinstance(held, Told) else held)
        return held

    async def _closed(self, standing: Standing, outcome: Outcome) -> Command[Next]:
        """Close a call that nobody is asked about, before the model is told so: `refuse` tells what is closed here."""
        services, decision, tool = self._services, standing.judgement.decision, standing.judgement.tool
        note = _notes.decided(
            standing.call,
            standing.facts,
            replace(decision, reason=outcome.reason),
            definition="" if tool is None else tool.ref.definition,
        )
        with suppress(StoreError):  # `refuse` tries again, and tells what it then finds
            await services.store.refuse(
                standing.call.key, reason=outcome.reason, outcome=outcome, note=note, now=services.now()
            )
        return Command(goto="refuse")

    async def ask(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> Command[Next]:
        """Wait while the store says pending; see `_waiting`."""
        steps = self._waiting(task, config, context)
        try:
            work = next(steps)
            while True:
                try:
                    work = steps.send(await work)
                except GuardError as error:
                    work = steps.throw(error)
        except StopIteration as end:
            return cast("Command[Next]", end.value)

    def ask_sync(self, task: CallTask, config: RunnableConfig, runtime: Runtime[GuardContext]) -> Command[Next]:
        """Wait as `ask` does, from a thread without a loop."""
        steps = self._waiting(task, config, context_of(runtime))
        try:
            work = next(steps)
            while True:
                try:
                    work = steps.send(self._home.run_sync(_awaited(work)))
                except GuardError as error:
                    work = steps.throw(error)
        except StopIteration as end:
            return cast("Command[Next]", end.value)

    async def ask_async(self, task: CallTask, config: RunnableConfig, runtime: Runtime[GuardContext]) -> Command[Next]:
        """Wait as `ask` does, with LangGraph's own parameters."""
        return await self.ask(task, config, context_of(runtime))

    def _waiting(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> Steps:
        """Yield what must be awaited, and return where the call goes; interrupt while it is pending.

        A resume value counts only if it is a signed vote that the facade takes. A wake-up that brings
        none finds the request pending and waits on.
        """
        how = HOW
        while True:
            try:
                standing = self._standing(task, config, context)
                if standing is not None and standing.status is RequestStatus.PENDING:
                    now = self._services.now()
                    if now >= standing.request.decide_by:
                        standing = yield self._services.store.expire(standing.request.id, now=now)
                        self._services.telemetry.timed_out(standing)
            except StoreError:
                interrupt(
                    {
                        "type": "tool_approval",
                        "how_to_answer": "the guard's store cannot be read; wake the thread again later",
                    }
                )
                continue
            if standing is None or standing.status is not RequestStatus.PENDING:
                return _leave(task, standing, self._services.tokens)
            answer = interrupt(self._shown(standing.request, how), response_schema=ResumeAnswer)
            try:
                yield self._votes.cast(answer.signed())
                how = HOW
            except (ApprovalError, BindingError, DirectoryError, StoreError) as error:
                # Not its subject: that quotes the answer, which anybody may have given, and an approver reads this.
                how = f"{HOW}; the last answer did not count: expected {error.expected}, got {error.got}"

    def _shown(self, request: ApprovalRequest, how: str) -> dict[str, JsonValue]:
        intact = is_intact(request, key=self._services.request_key)
        if not intact:
            return changed_payload(request)
        payload = interrupt_payload(request, how=how)  # it stands in a checkpoint
        return payload | {"args": self._services.tokens.at_rest(request.thread, payload["args"])}

    def _standing(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> StandingRequest | None:
        """Return the request that stands for *task*, followed over edits; None where there is none."""
        derived = self._endings.derive(task, config, context)
        if derived is Reason.STORE_UNAVAILABLE:
            raise unavailable()
        request = derived.request if isinstance(derived, Standing) else None
        return None if request is None else latest(self._services.store, request.request.id)


async def _awaited(work: Awaitable[StandingRequest]) -> StandingRequest:
    return await work


def _leave(task: CallTask, standing: StandingRequest | None, tokens: Tokens) -> Command[Next]:
    """Return where a call goes that waits no longer; an edited one takes its new arguments along."""
    if standing is None:
        return Command(goto="refuse")
    goto: Next = "execute" if standing.status in (RequestStatus.APPROVED, RequestStatus.CONSUMED) else "refuse"
    request = standing.request
    if request.parent is None:
        return Command(goto=goto)
    try:
        arguments = parse(request.arguments.encode())
    except (BindingError, ValueError):  # erased, or written by somebody else
        return Command(goto="refuse")
    arguments = tokens.tokenised(request.thread, f"{request.server}/{request.tool}", arguments)
    call = ToolCall(name=task["call"]["name"], args=arguments, id=request.call_id, type="tool_call")
    return Command(goto=goto, update={"call": call, "occurrence": request.occurrence})


def approval_subgraph(
    approval: Approval, endings: Endings, home: HomeLoop
) -> CompiledStateGraph[ApprovalState, GuardContext, CallTask, GuardedState]:
    """Return the subgraph, compiled without a checkpointer of its own (FACTS G9)."""
    graph = StateGraph(ApprovalState, context_schema=GuardContext, input_schema=CallTask, output_schema=GuardedState)
    graph.add_node(
        "hold", dual(home, "hold", approval.hold), input_schema=CallTask, destinations=("ask", "execute", "refuse")
    )
    graph.add_node(
        "ask",
        RunnableCallable(approval.ask_sync, approval.ask_async, name="ask", trace=False),
        input_schema=CallTask,
        destinations=("execute", "refuse"),
    )
    graph.add_node("execute", dual(home, "execute", endings.execute), input_schema=CallTask)
    graph.add_node("refuse", dual(home, "refuse", endings.refuse), input_schema=CallTask)
    graph.add_edge(START, "hold")
    return graph.compile()
