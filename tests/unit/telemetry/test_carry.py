"""Trace contexts over a wait and to a server (W3C Trace Context)."""

import pytest
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags, TraceState

from guarded_agents._provider import trace_context, trace_fields
from guarded_agents.records import TraceContext
from guarded_agents.telemetry import meta_of
from guarded_agents.telemetry._carry import span_context_of

SPAN = NonRecordingSpan(
    SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "x"), ("b", "y")]))
)
PARENT = f"00-{1:032x}-{2:016x}-01"
WRONG = {
    "empty": "",
    "rubbish": "rubbish",
    "no trace id": f"00-{0:032x}-{2:016x}-01",
    "no span id": f"00-{1:032x}-{0:016x}-01",
    "version ff, which is forbidden": f"ff-{1:032x}-{2:016x}-01",
    "capitals": f"00-{10:032X}-{2:016x}-01",
    "not sampled": f"00-{1:032x}-{2:016x}-00",
    "more than it may have": f"{PARENT}-more",
    "two": f"{PARENT}\n{PARENT}",
    "a million characters": "0" * 1_000_000,
}


def test_a_context_comes_back_as_it_was_kept() -> None:
    kept = trace_context(SPAN)
    assert kept == TraceContext(PARENT, "a=x,b=y")
    found = span_context_of(kept)
    assert found is not None
    assert (found.trace_id, found.span_id, found.trace_flags, found.is_remote) == (1, 2, 1, True)
    assert found.trace_state.to_header() == "a=x,b=y"


def test_a_server_is_told_of_a_state_only_where_there_is_one() -> None:
    assert meta_of(SPAN) == {"traceparent": PARENT, "tracestate": "a=x,b=y"}
    plain = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
    assert meta_of(plain) == {"traceparent": PARENT}


def test_no_span_is_no_context() -> None:
    assert trace_context(INVALID_SPAN) is None
    assert meta_of(INVALID_SPAN) == {}
    assert trace_fields() == {}


@pytest.mark.parametrize("parent", WRONG.values(), ids=WRONG)
def test_what_names_no_sampled_span_leads_nowhere(parent: str) -> None:
    assert span_context_of(TraceContext(parent)) is None


@pytest.mark.parametrize(
    "state", ["=", "a=" + "x" * 600, "\x00", "a,b,c"], ids=["no key", "too long", "NUL", "no value"]
)
def test_a_state_that_is_none_is_left_out(state: str) -> None:
    found = span_context_of(TraceContext(PARENT, state))
    assert found is not None
    assert found.trace_state.to_header() == ""
