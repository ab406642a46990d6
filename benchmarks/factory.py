"""Guarded graphs as factories: ``build(model, tools, *, checkpointer=None, session=None)``.

Each opens a guard over the held MCP *session*, with a policy, a lockfile and a store made for it in a temporary
folder, and returns the tool loop of `Guard.agent`. ``graph.bench_context`` is what to pass as ``context=``.
"""

import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver
from mcp import ClientSession
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider
from opentelemetry.trace import TracerProvider as AnyTracerProvider

from benchmarks._agents import Graph
from guarded_agents.assembly import Guard
from guarded_agents.catalog import dump_lockfile, make_lock, of_observed
from guarded_agents.records import Principal, ToolEffect
from guarded_agents.state import GuardContext
from guarded_agents.transport import SessionTransport

SERVER: Final = "records"
READ: Final = "records:read"
CONTEXT: Final = GuardContext(principal=Principal(id="clerk", scopes=(READ,)))


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to be guarded: what the policy says the tools do, and whether spans are recorded."""

    effect: ToolEffect = ToolEffect.READ
    spans: bool = True
    classifier: bool = False


class Dropped(SpanExporter):
    """Takes spans and drops them: what an exporter sends, and over which wire, is not the guard's cost."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Drop *spans*."""
        del spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Do nothing."""


def tracer_provider(*, spans: bool) -> AnyTracerProvider:
    """Return a real provider that batches and drops its spans, or one that makes none."""
    if not spans:
        return NoOpTracerProvider()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Dropped()))
    return provider


def policy_of(tools: Sequence[str], variant: Variant) -> str:
    """Return a policy under which the clerk may call each of *tools*, each of which does what *variant* says.

    What is read is untrusted, as mostly; what an effect answers is trusted, for the next one runs unattended too.
    """
    effect = variant.effect
    integrity = "untrusted" if effect is ToolEffect.READ else "trusted"
    result = f"{{integrity: {integrity}, confidentiality: public}}"
    rows = [f"  {SERVER}/{tool}: {{scope: {READ}, effect: {effect.value}, result: {result}}}\n" for tool in tools]
    screening = f"screening: {{classifier: {str(variant.classifier).lower()}}}"
    return f"version: 1\n{screening}\nprincipals:\n  clerk: {{scopes: [{READ}]}}\ntools:\n{''.join(rows)}"


def over_session(session: ClientSession) -> SessionTransport:
    """Return the transport over the held *session*."""
    return SessionTransport({SERVER: session})


@asynccontextmanager
async def opened(
    session: ClientSession,
    variant: Variant,
    *,
    transport: Callable[[ClientSession], SessionTransport] = over_session,
) -> AsyncIterator[Guard]:
    """Open a guard over *session*; policy, lockfile, key and store are removed when it is left."""
    folder = Path(tempfile.mkdtemp(prefix="guarded-agents-bench-"))
    held = transport(session)
    try:
        offered = await held.list_tools(SERVER, principal="")
        (folder / "policy.yaml").write_text(policy_of([tool.name for tool in offered], variant))
        (folder / "tools.lock").write_bytes(dump_lockfile(make_lock([of_observed(tool) for tool in offered])))
        async with Guard.open(
            folder / "policy.yaml",
            lockfile=folder / "tools.lock",
            store=folder / "guard.db",
            transport=held,
            tracer_provider=tracer_provider(spans=variant.spans),
        ) as guard:
            yield guard
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def guarded(guard: Guard, model: BaseChatModel, checkpointer: BaseCheckpointSaver[str] | None) -> Graph:
    """Return the guarded tool loop, with its context where the harness looks for it."""
    graph = guard.agent(model, checkpointer=checkpointer)
    graph.bench_context = CONTEXT  # type: ignore[attr-defined]  # the harness's way to pass a context
    return graph


async def _built(
    model: BaseChatModel,
    checkpointer: BaseCheckpointSaver[str] | None,
    session: ClientSession | None,
    variant: Variant,
) -> Graph:
    if session is None:
        raise SystemExit("the guarded graph needs the held session: use the transports memory, stdio or http")
    stack = AsyncExitStack()  # the harness never says that it has finished
    guard = await stack.enter_async_context(opened(session, variant))
    folder = Path(getattr(guard.store, "path", "")).parent
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    graph = guarded(guard, model, checkpointer)
    graph.bench_guard = stack  # type: ignore[attr-defined]  # kept open as long as the graph
    return graph


async def build(
    model: BaseChatModel,
    tools: object,
    *,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    session: ClientSession | None = None,
) -> Graph:
    """Return a guarded graph whose tools are reads, with spans."""
    del tools
    return await _built(model, checkpointer, session, Variant())


async def without_spans(
    model: BaseChatModel,
    tools: object,
    *,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    session: ClientSession | None = None,
) -> Graph:
    """Return a guarded graph whose tools are reads, with a tracer that makes no spans."""
    del tools
    return await _built(model, checkpointer, session, Variant(spans=False))


async def effects(
    model: BaseChatModel,
    tools: object,
    *,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    session: ClientSession | None = None,
) -> Graph:
    """Return a guarded graph whose tools are writes, each admitted with an fsync before it is sent, with spans."""
    del tools
    return await _built(model, checkpointer, session, Variant(effect=ToolEffect.WRITE))
