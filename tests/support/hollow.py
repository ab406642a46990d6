"""Telemetry of an application's that fails in each way we know: it raises, answers nonsense, or is not there."""

from asyncio import CancelledError
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError as FutureCancelledError
from functools import partial
from typing import Any, Final
from unittest.mock import MagicMock

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler, SamplingResult
from opentelemetry.trace import (
    INVALID_SPAN,
    NoOpTracerProvider,
    Span,
    SpanContext,
    TraceFlags,
    Tracer,
    TraceState,
)
from opentelemetry.trace import TracerProvider as AnyTracerProvider

from tests.support.watched import Watched

ELSEWHERE = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1")]))


class Bomb:
    """What cannot be asked anything."""

    def __bool__(self) -> bool:
        raise RuntimeError("neither")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class FailingState(TraceState):
    """A trace state that cannot be spelt."""

    def to_header(self) -> str:
        raise RuntimeError("no header")


class LyingState(TraceState):
    """A trace state whose header is none."""

    def __init__(self, entries: Any, header: str = "v=1\r\nauthorization: x") -> None:
        super().__init__(entries)
        self.header = header

    def to_header(self) -> str:
        return self.header


class OddContext:
    """A context by name only."""

    is_valid, trace_id, span_id, trace_flags, trace_state = True, None, "7", None, object()


class Hollow(Span):
    """A span of another maker's than the SDK. Of its methods only those in *works* do; the others *fail*."""

    def __init__(
        self, works: Collection[str] = (), fail: Callable[[], Any] | None = None, context: Any = ELSEWHERE
    ) -> None:
        self.works, self.fail, self.context = works, fail, context

    def _do(self, name: str, found: Any = None) -> Any:
        if name in self.works:
            return found
        if self.fail is None:
            raise RuntimeError(name)
        return self.fail()

    def end(self, end_time: int | None = None) -> None:
        self._do("end")

    def get_span_context(self) -> SpanContext:
        context: SpanContext = self._do("get_span_context", self.context)
        return context

    def set_attributes(self, attributes: Any) -> None:
        self._do("set_attributes")

    def set_attribute(self, key: str, value: Any) -> None:
        self._do("set_attribute")

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._do("add_event")

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self._do("add_link")

    def update_name(self, name: str) -> None:
        self._do("update_name")

    def is_recording(self) -> bool:
        recording: bool = self._do("is_recording", found=True)
        return recording

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._do("set_status")

    def record_exception(self, exception: BaseException, *_: Any, **__: Any) -> None:
        self._do("record_exception")


class Executing(Hollow):
    """A span that says that it executes a tool, and odd things beside."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        super().__init__(("get_span_context", "is_recording", "set_attributes"))
        self.attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "topup", **about}


class HollowProvider(AnyTracerProvider, Tracer):
    """Makes what *make* makes of each span."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        return self

    def start_span(self, *_: Any, **__: Any) -> Span:
        span: Span = self.make()
        return span

    def start_as_current_span(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("start_as_current_span")


class Raising(SpanProcessor):
    """A processor of the application's that fails at the end of a span, and *early* at its start too."""

    def __init__(self, error: BaseException, *, early: bool = True) -> None:
        self.error, self.early = error, early

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        if self.early:
            raise self.error

    def on_end(self, span: ReadableSpan) -> None:
        raise self.error


class Unsure(Sampler):
    """A sampler that answers nothing."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        return None  # type: ignore[return-value]

    def get_description(self) -> str:
        return ""


class Numbering(IdGenerator):
    """Gives ids that are none."""

    def __init__(self, trace: Any, span: Any) -> None:
        self.trace, self.span = trace, span

    def generate_trace_id(self) -> int:
        trace: int = self.trace
        return trace

    def generate_span_id(self) -> int:
        span: int = self.span
        return span


class Instruments(AnyMeterProvider):
    """Has *made* for each instrument, or raises it where it is an error."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def get_meter(self, *_: Any, **__: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("create_"):
            raise AttributeError(name)
        return lambda *_, **__: raised(self.made)


class Nowhere(AnyMeterProvider, AnyTracerProvider):
    """Has neither a tracer nor a meter, and cannot be kept by reference."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, found: Any) -> None:
        self.found = found

    def get_meter(self, *_: Any, **__: Any) -> Any:
        return raised(self.found)

    def get_tracer(self, *_: Any, **__: Any) -> Any:
        return raised(self.found)


class Unnamed(AnyTracerProvider):
    """Stands for another provider, which is not there yet: it cannot even be asked what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("unbound")

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        raise RuntimeError("unbound")


class Flags(TraceFlags):
    """Flags that are another number each time."""

    def __int__(self) -> int:
        return 10**5_000

    def __format__(self, spec: str) -> str:
        return "x" * 50_000


class Like:
    """Equal to anything, and neither true nor false about it."""

    def __eq__(self, other: object) -> Any:
        return Bomb()

    __hash__ = None  # type: ignore[assignment]


class Failing:
    """An instrument that raises *error* when it is told something."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def add(self, *_: object, **__: object) -> None:
        raise self.error

    record = add


def raised(made: Any) -> Any:
    """Return *made*; raise it where it is an error."""
    if isinstance(made, BaseException):
        raise made
    return made


def spans(*works: str, fail: Callable[[], Any] | None = None, context: Any = ELSEWHERE) -> Callable[[], Any]:
    """Return what makes a provider of such hollow spans."""
    return lambda: HollowProvider(lambda: Hollow(works, fail, context))


def _with(processor: SpanProcessor) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(processor)
    return provider


def _stated(state: TraceState) -> SpanContext:
    return SpanContext(0xA, 0xB, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)


_FAILED: Final = RuntimeError("no exporter")
CONTEXTS: Final[Mapping[str, Any]] = {
    "None": None,
    "text": "x",
    "odd": OddContext(),
    "a bomb": Bomb(),
    "a mock": MagicMock(),
    "one whose state cannot be spelt": _stated(FailingState([("v", "1")])),
    "one whose state is no header": _stated(LyingState([("v", "1")])),
    "one whose state has no member": _stated(LyingState([("v", "1")], "no member at all")),
    "one whose flags change": SpanContext(0xA, 0xB, is_remote=False, trace_flags=Flags(1)),
    "one with fractions for ids": SpanContext(0.5, 0.5, is_remote=False),  # type: ignore[arg-type]
    "one with truths for ids": SpanContext(True, True, is_remote=False),
}
TRACING: Final[Mapping[str, Callable[[], Any]]] = {
    "spans": lambda: Watched().provider,
    "no provider": lambda: None,
    "no spans": NoOpTracerProvider,
    "sampling off": lambda: Watched(sampler=ALWAYS_OFF).provider,
    "a sampler that answers nothing": lambda: Watched(sampler=Unsure()).provider,
    "ids that are text": lambda: Watched(id_generator=Numbering("x", "y")).provider,
    "ids that are too large": lambda: Watched(id_generator=Numbering(1 << 140, 1 << 70)).provider,
    "a processor that fails at the start": lambda: _with(Raising(_FAILED)),
    "a processor that fails at the end": lambda: _with(Raising(_FAILED, early=False)),
    "a processor that cancels at the start": lambda: _with(Raising(CancelledError())),
    "a processor that cancels at the end": lambda: _with(Raising(CancelledError(), early=False)),
    "a processor that cancels a future": lambda: _with(Raising(FutureCancelledError(), early=False)),
    "no tracer": lambda: Nowhere(None),
    "a provider that fails": lambda: Nowhere(_FAILED),
    "a provider that is a mock": MagicMock,
    "a provider that cannot be asked what it is": Unnamed,
    "no span": lambda: HollowProvider(lambda: None),
    "a text for a span": lambda: HollowProvider(lambda: "x"),
    "a bomb for a span": lambda: HollowProvider(Bomb),
    "spans of which every method fails": spans(),
    "spans of which all but the context fails": spans("get_span_context"),
    "spans that only say that they are recorded": spans("is_recording"),
    "spans that cannot be told anything": spans("get_span_context", "is_recording"),
    "spans that answer nothing": spans(fail=lambda: None),
    "spans that answer nothing but their context": spans("get_span_context", fail=lambda: None),
    "spans that answer bombs": spans("get_span_context", fail=Bomb),
    **{
        f"spans whose context is {name}": spans("get_span_context", "is_recording", context=context)
        for name, context in CONTEXTS.items()
    },
}
METERING: Final[Mapping[str, Callable[[], Any]]] = {
    "a provider that fails": lambda: Nowhere(_FAILED),
    "no meter": lambda: Nowhere(None),
    "a provider that is a mock": MagicMock,
    "no instruments": lambda: Instruments(None),
    "instruments that are text": lambda: Instruments("x"),
    "instruments that are bombs": lambda: Instruments(Bomb()),
    "instruments that cannot be made": lambda: Instruments(_FAILED),
    "instruments that fail": lambda: Instruments(Failing(_FAILED)),
    "instruments that cancel": lambda: Instruments(Failing(CancelledError())),
}
APPLICATIONS: Final[Mapping[str, Callable[[], Span]]] = {
    "of which every method fails": Hollow,
    "that only says that it is recorded": lambda: Hollow(("is_recording",)),
    "that answers nothing": lambda: Hollow(fail=lambda: None),
    "that answers bombs": lambda: Hollow(fail=Bomb),
    "of a call whose id is like any": lambda: Executing({"gen_ai.tool.call.id": Like()}),
    "of a call without a name": lambda: Executing({"gen_ai.tool.name": Like()}),
    **{
        f"whose context is {name}": partial(Hollow, ("get_span_context",), None, context)
        for name, context in CONTEXTS.items()
    },
}


class Turning(Hollow):
    """A span that is well until *bad* is set, which its context is from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_bad, self.bad = False, None

    def _do(self, name: str, found: Any = None) -> Any:
        if self.is_bad:
            return self.bad
        return INVALID_SPAN.is_recording() if name == "is_recording" else found
