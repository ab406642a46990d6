"""Where work stands in a trace, as it is kept over a wait."""

from typing import NamedTuple


class TraceContext(NamedTuple):
    """``traceparent`` and ``tracestate`` (W3C Trace Context, section 3). A mark for operators: nothing relies on it."""

    parent: str
    state: str = ""
