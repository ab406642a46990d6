"""Where work stands in a trace, as it is kept over a wait."""

from typing import NamedTuple


class TraceContext(NamedTuple):
    """``traceparent`` and ``tracestate`` (W3C Trace Context, section 3). A mark for operators: nothing relies on it."""

    parent: str
    state: str = ""

    @property
    def trace_id(self) -> str:
        """Return the id of the trace (32 hex), which ``traceparent`` has between its first two hyphens."""
        return self.parent[3:35]

    @property
    def span_id(self) -> str:
        """Return the id of the span (16 hex)."""
        return self.parent[36:52]
