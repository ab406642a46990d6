"""What operators see of the guard, in the tools that they run: spans, metrics and log lines (OpenTelemetry)."""

from guarded_agents.telemetry._calling import Calling
from guarded_agents.telemetry._carry import meta_of
from guarded_agents.telemetry._export import export_from_environment
from guarded_agents.telemetry._metrics import MAX_SERIES, Metrics, Sources
from guarded_agents.telemetry._names import DECISION, OUTCOME, REASON, SCHEMA_VERSION, STATUS, Role, Stage
from guarded_agents.telemetry._semconv import Semconv, parse_semconv
from guarded_agents.telemetry._spans import Scope, time_ns
from guarded_agents.telemetry._telemetry import Telemetry

__all__ = [
    "DECISION",
    "MAX_SERIES",
    "OUTCOME",
    "REASON",
    "SCHEMA_VERSION",
    "STATUS",
    "Calling",
    "Metrics",
    "Role",
    "Scope",
    "Semconv",
    "Sources",
    "Stage",
    "Telemetry",
    "export_from_environment",
    "meta_of",
    "parse_semconv",
    "time_ns",
]
