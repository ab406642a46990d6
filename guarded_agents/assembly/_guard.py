"""`Guard`: opens the files and servers, builds a guarded agent, guards a graph, and takes answers.

The guard owns what outlives a run: the policy, the catalogue, the store, the sessions and the keys.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from guarded_agents import nodes
from guarded_agents._release import release
from guarded_agents.approval import Authenticator, Directory
from guarded_agents.assembly._attach import Parts, attach, tool_loop
from guarded_agents.assembly._hearing import Hearing
from guarded_agents.assembly._lint import AnyBuilder, AnyGraph, Finding, lint
from guarded_agents.assembly._observed import sources_of
from guarded_agents.assembly._opener import DRAIN_S, GuardOpener
from guarded_agents.assembly._opening import Files, Settings, utc_now
from guarded_agents.assembly._services import make_services
from guarded_agents.assembly._tools import GuardedTool, guarded_tool, planning_tool
from guarded_agents.audit import Kind, Signer
from guarded_agents.errors import AssemblyError, StoreError
from guarded_agents.keys import RootKey
from guarded_agents.records import Claim, Labels, Scheme
from guarded_agents.screen import Detector
from guarded_agents.stores import AuditNote, Store, Swept
from guarded_agents.telemetry import parse_semconv
from guarded_agents.transport import ToolTransport

_SYNC: Final[RunnableConfig] = {"configurable": {"__pregel_durability": "sync"}}  # read where no durability is passed


class Guard(Hearing):
    """One deployment's guard. Made by `Guard.open`, which is entered with ``async with`` or ``with``."""

    def __init__(self, files: Files, root: RootKey, store: Store, transport: ToolTransport, settings: Settings) -> None:
        """Assemble the services; `Guard.open` does this on the guard's event loop."""
        self._files, self._store, self._transport = files, store, transport
        services = make_services(files, root, store, transport, settings)
        votes = nodes.Votes(services)
        super().__init__(services, votes)
        self._door = nodes.Door(services)
        self._is_open = False
        endings = nodes.Endings(services, self._door)
        self._parts = Parts(
            home=services.home,
            screen_input=nodes.ScreenInput(services),
            screen_response=nodes.ScreenResponse(services),
            plans=nodes.Plans(services),
            endings=endings,
            approval=nodes.Approval(services, endings, votes, services.home),
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
        audit_key: str | Path | Signer | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        unsafe_trace_contents: bool = False,
        semconv: Collection[str] = (),
        now: Callable[[], datetime] = utc_now,
        timeout_s: float = 60.0,
        authenticators: Mapping[Scheme, Authenticator] | None = None,
        directory: Directory | None = None,
        detectors: Sequence[Detector] = (),
    ) -> GuardOpener:
        """Return what opens the guard when it is entered.

        *servers* maps names to records as in `load_servers`, or *transport* stands in for them. *root_key* is the
        file of the deployment's root key, by default the store's path with ``.key`` added, made at first use.
        *audit_key* signs the audit log: a file, by default the store's path with ``.audit.key`` added, made at first
        use, or a `Signer` in its place; where the store is no path and none is given, the log is not signed.
        *now* is the clock (UTC). *directory* knows the members of the policy's external groups, *authenticators* prove
        statements otherwise than by the keys of the policy's signers file. *detectors* look at texts beside the
        built-in ones. *tracer_provider* and *meter_provider* take the place of the global ones; with
        *unsafe_trace_contents* spans show arguments and results, redacted, and with *semconv* (`Semconv`) they are
        told by other conventions too. Raises ConfigurationError for one that is not known. Entering raises
        ConfigurationError or StoreError for a file that cannot be used; nothing is then started.
        """
        return GuardOpener(
            Settings(
                policy=Path(policy),
                lockfile=Path(lockfile),
                store=store,
                servers=servers,
                transport=transport,
                root_key=root_key,
                audit_key=audit_key,
                tracer_provider=tracer_provider,
                meter_provider=meter_provider,
                unsafe_trace_contents=unsafe_trace_contents,
                semconv=parse_semconv(semconv),
                now=now,
                timeout_s=timeout_s,
                authenticators=authenticators or {},
                directory=directory,
                detectors=detectors,
            ),
            Guard,
        )

    # -- composing graphs ------------------------------------------------------------------------

    @property
    def tools(self) -> list[GuardedTool]:
        """The reviewed tools that are not quarantined, for ``bind_tools``. They refuse to run by themselves.

        Where the policy's plan is from the model, ``propose_plan`` is one more.
        """
        catalog = self._files.catalog
        found = [guarded_tool(tool) for tool in catalog if catalog.quarantine_reason(tool.ref.key) is None]
        return [*found, planning_tool()] if nodes.proposes(self._files.policy) else found

    @property
    def quarantine(self) -> Mapping[str, str]:
        """The tools that are denied because of what their server offers now: ``server/tool`` to the reason."""
        return self._files.catalog.quarantine

    @property
    def doubts(self) -> tuple[Claim, ...]:
        """The calls of which nobody knows whether they happened, also of earlier processes: the 100 longest so."""
        return self._store.doubts(now=self._services.now())

    @property
    def store(self) -> Store:
        """The store, for listing requests and reading the audit log."""
        return self._store

    def now(self) -> datetime:
        """Return what the guard's clock says (UTC). Raises StoreError where it says nothing."""
        return self._services.now()

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
        builder = self.attach(tool_loop(model, self.tools, prompt=prompt, explain=self.explain), model_node="model")
        graph = builder.compile(checkpointer=checkpointer, name=name)
        findings = [finding for finding in lint(graph) if checkpointer is not None or finding.where != "graph"]
        if findings:
            raise AssemblyError(
                "graph", expected="a guarded graph", got="; ".join(map(str, findings)), action="change what is named"
            )
        return graph if checkpointer is None else graph.with_config(_SYNC)

    def explain(self, config: RunnableConfig) -> str:
        """Return what the model of the thread of *config* is to be told of untrusted results, for its system prompt.

        `agent` does that by itself; a model node of your own puts it behind its prompt. It is "" where the policy's
        ``screening`` sets none apart, and the same for all turns of a thread.
        """
        return self._services.screening.explain(str(config.get("configurable", {}).get("thread_id") or ""))

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

    def summarised(self, thread: str, message: BaseMessage) -> Labels:
        """Record *message*, which the application made of messages of *thread*, with the labels of all of them.

        Call it where a node summarises or rewrites the conversation, before the model is shown the message: one that
        the guard knows nothing of counts as untrusted and restricted. Returns those labels. Raises StoreError.
        """
        return self._services.exposure.summarised(thread, message)

    # -- threads ---------------------------------------------------------------------------------------

    async def wake(self, agent: AnyGraph, thread: str) -> None:
        """Let a thread go on whose requests were answered elsewhere. One that still waits waits on."""
        with self._services.telemetry.waking(thread):
            await agent.ainvoke(None, {"configurable": {"thread_id": thread}}, durability="sync")

    async def cancel(self, thread: str) -> tuple[str, ...]:
        """Close what the current entry of *thread* left open; return the ids of the requests that it withdrew.

        Nothing of it runs any more. `wake` lets the thread go on, and the model is told.
        """
        return await self._store.withdraw(thread, now=self._services.now())

    async def sweep(self) -> Swept:
        """Expire, escalate and put in doubt what time has come for; return what that was. It approves nothing."""
        swept = await self._store.sweep(now=self._services.now())
        with suppress(StoreError):  # a count that cannot be told keeps nobody from knowing what was swept
            for request in (*swept.expired, *swept.lapsed):
                self._services.telemetry.timed_out(self._store.request(request))
        return swept

    # -- servers ---------------------------------------------------------------------------------

    async def observe(self, server: str) -> None:
        """Look at what *server* offers now, and quarantine what was not reviewed like that.

        A server that cannot be asked leaves all of its tools quarantined.
        """
        await self._services.observe(server)

    async def start(self, signer: Signer | None = None) -> None:
        """Record by which key, policy and tools the guard works, and look at every server once.

        The audit log is signed by *signer*. Raises StoreError where its key is not the log's.
        """
        files, key = self._files, None if signer is None else str(signer.verifier)
        notes = [
            AuditNote(Kind.LOG_OPENED, {"key": key, "release": release()}),
            AuditNote(Kind.POLICY_LOADED, {"policy": files.policy.digest, "tools": files.catalog.digest}),
        ]
        now = self._services.now()
        if signer is None:
            await self._store.append(notes, now=now)
        else:
            await self._store.sign_with(signer, notes, now=now)
        self._is_open = True
        self._services.telemetry.metrics.observe(sources_of(self._services))
        await asyncio.gather(*(self.observe(server) for server in self._transport.servers))

    async def aclose(self, *, drain_s: float = DRAIN_S) -> None:
        """Close the sessions and the store, after waiting at most *drain_s* seconds for what is being sent."""
        await self._door.drain(timeout_s=drain_s)
        await self._transport.aclose()
        try:
            if self._is_open:
                self._is_open = False
                self._store.note([AuditNote(Kind.LOG_CLOSED, {})], now=self._services.now())
        finally:
            await self._store.aclose()
