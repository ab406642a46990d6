"""`Guard`: opens the files and servers, builds a guarded agent, guards a graph, and takes answers.

The guard owns what outlives a run: the policy, the catalogue, the store, the sessions and the keys.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final

from anyio.from_thread import start_blocking_portal
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import StateSnapshot
from opentelemetry.trace import TracerProvider

from guarded_agents import nodes
from guarded_agents._attach import Parts, attach, model_body
from guarded_agents._lint import AnyBuilder, AnyGraph, Finding, lint
from guarded_agents._opening import Files, Settings
from guarded_agents._tools import GuardedTool, guarded_tool
from guarded_agents._watch import Watch
from guarded_agents.audit import Kind
from guarded_agents.errors import AssemblyError, ConfigurationError, UnknownRequestError
from guarded_agents.keys import RootKey
from guarded_agents.records import Answer, Claim, RequestStatus, SignedVote, StandingRequest, Vote
from guarded_agents.state import GuardContext, GuardedState
from guarded_agents.stores import AuditNote, Store
from guarded_agents.telemetry import Telemetry
from guarded_agents.transport import ToolTransport

_SYNC: Final[RunnableConfig] = {"configurable": {"__pregel_durability": "sync"}}  # read where no durability is passed
_LEASE_MARGIN_S: Final = 30.0
_DRAIN_S: Final = 5.0  # how long closing waits for what is being sent


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Guard:
    """One deployment's guard. Made by `Guard.open`, which is entered with ``async with`` or ``with``."""

    def __init__(self, files: Files, root: RootKey, store: Store, transport: ToolTransport, settings: Settings) -> None:
        """Assemble the services; `Guard.open` does this on the guard's event loop."""
        self._files, self._store, self._transport = files, store, transport
        self._home = home = nodes.HomeLoop(asyncio.get_running_loop())
        now = nodes.checked(settings.now)
        self._watch = watch = Watch(files.catalog, transport, store, home, now)
        self._services = services = nodes.Services(
            policy=files.rules,
            catalog=files.catalog,
            store=store,
            transport=transport,
            telemetry=Telemetry(settings.tracer_provider),
            signers=files.signers,
            members=lambda group: frozenset(files.policy.members(group)),
            observe=watch.observe,
            recover=watch.recover,
            home=home,
            now=now,
            binding_key=root.derive("binding"),
            request_key=root.derive("request"),
            owner=secrets.token_hex(16),
            timeout_s=settings.timeout_s,
            lease=timedelta(seconds=settings.timeout_s + _LEASE_MARGIN_S),
        )
        self._votes = nodes.Votes(services)
        self._door = nodes.Door(services)
        endings = nodes.Endings(services, self._door)
        self._parts = Parts(
            home=home,
            screen_input=nodes.ScreenInput(services),
            plans=nodes.Plans(services),
            endings=endings,
            approval=nodes.Approval(services, endings, self._votes, home),
        )

    @staticmethod
    def open(  # noqa: PLR0913 - what a deployment sets; all but three have defaults
        policy: str | Path,
        *,
        lockfile: str | Path,
        store: str | Path | Store,
        servers: Mapping[str, object] | None = None,
        transport: ToolTransport | None = None,
        root_key: str | Path | None = None,
        tracer_provider: TracerProvider | None = None,
        now: Callable[[], datetime] = _utc_now,
        timeout_s: float = 60.0,
    ) -> "GuardOpener":
        """Return what opens the guard when it is entered.

        *servers* maps names to records as in `load_servers`, or *transport* stands in for them. *root_key* is the
        file of the deployment's root key, by default the store's path with ``.key`` added, made at first use.
        *now* is the clock (UTC). Entering raises ConfigurationError or StoreError for a file that cannot be used;
        nothing is then started.
        """
        return GuardOpener(
            Settings(
                policy=Path(policy),
                lockfile=Path(lockfile),
                store=store,
                servers=servers,
                transport=transport,
                root_key=root_key,
                tracer_provider=tracer_provider,
                now=now,
                timeout_s=timeout_s,
            )
        )

    # -- composing graphs ------------------------------------------------------------------------

    @property
    def tools(self) -> list[GuardedTool]:
        """The reviewed tools that are not quarantined, for ``bind_tools``. They refuse to run by themselves."""
        catalog = self._files.catalog
        return [guarded_tool(tool) for tool in catalog if catalog.quarantine_reason(tool.ref.key) is None]

    @property
    def quarantine(self) -> Mapping[str, str]:
        """The tools that are denied because of what their server offers now: ``server/tool`` to the reason."""
        return self._files.catalog.quarantine

    @property
    def doubts(self) -> tuple[Claim, ...]:
        """The calls of which nobody knows whether they happened, those of earlier processes included."""
        return self._store.doubts(now=self._services.now())

    @property
    def store(self) -> Store:
        """The store, for listing requests and reading the audit log."""
        return self._store

    def agent(
        self,
        model: BaseChatModel,
        *,
        checkpointer: BaseCheckpointSaver[str] | None = None,
        prompt: str | None = None,
        name: str = "guarded_agent",
    ) -> AnyGraph:
        """Return a ready tool loop around *model*, with durability ``sync`` bound.

        *prompt* is a system message that is shown to the model and not kept in the state. Raises AssemblyError
        where `lint` finds something. Without a checkpointer nothing can wait: what needs an approval is then denied.
        """
        bound = model.bind_tools(self.tools) if self.tools else model
        system = [] if prompt is None else [SystemMessage(prompt)]
        builder = StateGraph(GuardedState, context_schema=GuardContext)
        builder.add_node("model", model_body(bound, system))
        builder.add_edge(START, "model")
        graph = self.attach(builder, model_node="model").compile(checkpointer=checkpointer, name=name)
        findings = [finding for finding in lint(graph) if checkpointer is not None or finding.where != "graph"]
        if findings:
            raise AssemblyError(
                "graph", expected="a guarded graph", got="; ".join(map(str, findings)), action="change what is named"
            )
        return graph if checkpointer is None else graph.with_config(_SYNC)

    def attach(self, builder: AnyBuilder, *, model_node: str = "model", after: str = END) -> AnyBuilder:
        """Guard *builder*: record what its model node proposes, and answer every call.

        The state must derive from GuardedState, and the model node must have no edge out; *after* is where the
        graph goes when the model makes no call. Compile it with a checkpointer, and invoke it with
        ``durability="sync"``.
        Raises AssemblyError, which says what to change.
        """
        return attach(builder, self._parts, model_node=model_node, after=after)

    def lint(self, graph: AnyBuilder | AnyGraph) -> tuple[Finding, ...]:
        """Return what keeps *graph* from being guarded, sorted; an empty tuple where nothing does."""
        return lint(graph)

    # -- answers ---------------------------------------------------------------------------------

    def prepare(
        self,
        request_id: str,
        answer: Answer,
        *,
        approver: str,
        arguments: dict[str, object] | None = None,
        text: str | None = None,
    ) -> Vote:
        """Return the statement that *approver* has to sign (`guarded_agents.approval.sign`) to answer a request."""
        return self._votes.prepare(request_id, answer, approver=approver, arguments=arguments, text=text)

    async def vote(self, signed: SignedVote) -> StandingRequest:
        """Record a signed vote without waking the thread; return the request that now stands. Raises ApprovalError."""
        return await self._home.run(self._votes.cast(signed))

    async def resume(self, agent: AnyGraph, signed: SignedVote) -> StandingRequest:
        """Record a signed vote and let the waiting thread go on.

        Raises UnknownRequestError where the thread of the request does not wait for it in *agent*, and the
        ApprovalError that says why a vote does not count; the request is then as it was.
        """
        standing, config = self._waiting_thread(signed)
        if standing is not None:
            _require_waiting(await agent.aget_state(config), standing)
        settled = await self.vote(signed)
        if settled.status is not RequestStatus.PENDING or settled.request.id != signed.vote.request:  # an edit shows
            await agent.ainvoke(None, config, durability="sync")
        return settled

    def resume_sync(self, agent: AnyGraph, signed: SignedVote) -> StandingRequest:
        """Do as `resume`, from a thread without an event loop (a guard opened with a plain ``with``)."""
        standing, config = self._waiting_thread(signed)
        if standing is not None:
            _require_waiting(agent.get_state(config), standing)
        settled = self._home.run_sync(self.vote(signed))
        if settled.status is not RequestStatus.PENDING or settled.request.id != signed.vote.request:  # an edit shows
            agent.invoke(None, config, durability="sync")
        return settled

    async def wake(self, agent: AnyGraph, thread: str) -> None:
        """Let a thread go on whose requests were answered elsewhere. One that still waits waits on."""
        await agent.ainvoke(None, {"configurable": {"thread_id": thread}}, durability="sync")

    def _waiting_thread(self, signed: SignedVote) -> tuple[StandingRequest | None, RunnableConfig]:
        standing = self._store.request(signed.vote.request)
        return standing, {"configurable": {"thread_id": standing.request.thread if standing else ""}}

    # -- servers ---------------------------------------------------------------------------------

    async def observe(self, server: str) -> None:
        """Look at what *server* offers now, and quarantine what was not reviewed like that.

        A server that cannot be asked leaves all of its tools quarantined.
        """
        await self._watch.observe(server)

    async def start(self) -> None:
        """Record which policy and tools are in force, and look at every server once."""
        files = self._files
        await self._store.append(
            [AuditNote(Kind.POLICY_LOADED, {"policy": files.policy.digest, "tools": files.catalog.digest})],
            now=self._services.now(),
        )
        await asyncio.gather(*(self.observe(server) for server in self._transport.servers))

    async def aclose(self, *, drain_s: float = _DRAIN_S) -> None:
        """Close the sessions and the store, after waiting at most *drain_s* seconds for what is being sent."""
        await self._door.drain(timeout_s=drain_s)
        await self._transport.aclose()
        await self._store.aclose()


def _require_waiting(state: StateSnapshot, standing: StandingRequest) -> None:
    waiting = {found.value.get("request_id") for found in state.interrupts if isinstance(found.value, dict)}
    if standing.request.id not in waiting and standing.request.parent not in waiting:
        raise UnknownRequestError(
            f"approval {standing.request.id}",
            expected="a thread that waits for it",
            got="one that does not",
            action="look at the thread with get_state, and at the request with `guarded-agents approvals show`",
        )


class GuardOpener(AbstractContextManager[Guard], AbstractAsyncContextManager[Guard]):
    """Opens a guard when it is entered: ``async with`` on the running loop, ``with`` on one in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is opened yet."""
        self._settings = settings
        self._guard: Guard | None = None
        self._opened = ExitStack()

    async def __aenter__(self) -> Guard:
        """Open the guard on the running event loop."""
        settings = self._settings
        files, transport, is_new = settings.read(), settings.open_transport(), settings.is_new
        store = settings.open_store()
        try:
            root = settings.load_root_key(create=is_new)
        except ConfigurationError:
            await store.aclose()
            raise
        self._guard = Guard(files, root, store, transport, settings)
        try:
            await self._guard.start()
        except BaseException:
            await self._guard.aclose(drain_s=0)
            raise
        return self._guard

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the guard; after an error or a cancellation at once, and what is being sent is in doubt later."""
        if self._guard is not None:
            await self._guard.aclose(drain_s=_DRAIN_S if kind is None else 0)

    def __enter__(self) -> Guard:
        """Open the guard on an event loop in a thread of its own, for synchronous applications."""
        with ExitStack() as opened:
            portal = opened.enter_context(start_blocking_portal())
            guard = opened.enter_context(portal.wrap_async_context_manager(self))
            self._opened = opened.pop_all()
        return guard

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the guard and its thread."""
        self._opened.__exit__(kind, error, trace)


__all__ = [
    "Guard",
    "GuardOpener",
]
