"""The instruments. Each has a bounded number of series: what comes after `MAX_SERIES` counts under ``_OTHER``.

With no meter provider each costs a call of a method that does nothing.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from guarded_agents.errors import GuardError
from guarded_agents.records import BoundCall, Decision, Outcome
from guarded_agents.telemetry._names import (
    APPEND_TIME,
    APPROVAL_WAIT,
    APPROVALS,
    APPROVALS_PENDING,
    AUDIT_ENTRIES,
    AUDIT_LOG,
    DECISION,
    DECISIONS,
    FINDINGS,
    GROUP,
    IN_DOUBT,
    KIND,
    OTHER,
    REASON,
    REQUIRED,
    RULE,
    SCHEMA_VERSION,
    SCREENING_TIME,
    SERVER,
    SESSIONS_REOPENED,
    STAGE,
    STATUS,
    TOOL_NAME,
)
from guarded_agents.telemetry._words import tool_of

_log: Final = logging.getLogger(__name__)

MAX_SERIES: Final = 1_000
_WAITS_S: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0)  # a second to a week
_TIMES_S: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


class Sources:
    """What is looked up whenever metrics are collected: reads of one guard's store and transport."""

    def __init__(
        self,
        *,
        log: str,
        pending: Callable[[], int],
        doubts: Callable[[], int],
        entries: Callable[[], int],
        reopened: Callable[[], Mapping[str, int]],
    ) -> None:
        """Take the look-ups; *log* is the id of the audit log, by which stores are told apart."""
        self.log = log
        self.pending, self.doubts, self.entries, self.reopened = pending, doubts, entries, reopened


class _Global:
    """Stands for the global provider, which may be set later."""


_GLOBAL: Final = _Global()
_SOURCES: Final[WeakKeyDictionary[object, WeakSet[Sources]]] = WeakKeyDictionary()
"""By provider: an instrument is made once for each, however many guards a process opens, and each of them is asked."""


class _Series:
    """The attribute sets of one instrument: made once each, and at most so many."""

    __slots__ = ("_keys", "_known", "_others")

    def __init__(self, *keys: str) -> None:
        self._keys, self._known = keys, dict[tuple[str, ...], Mapping[str, str]]()
        self._others = dict.fromkeys(keys, OTHER)

    def of(self, *values: str) -> Mapping[str, str]:
        """Return the attributes with *values*, the same object each time."""
        found = self._known.get(values)
        if found is None:
            if len(self._known) >= MAX_SERIES:
                return self._others
            found = self._known[values] = dict(zip(self._keys, values, strict=True))
        return found


class Metrics:
    """The instruments of one guard, on the meter of *provider* or of the global one."""

    def __init__(self, provider: MeterProvider | None = None) -> None:
        """Make the instruments."""
        meter = metrics.get_meter("guarded_agents", SCHEMA_VERSION, meter_provider=provider)
        self._provider, self._sources = provider, list[Sources]()
        self._decisions = meter.create_counter(DECISIONS, "{decision}", "decisions about calls")
        self._approvals = meter.create_counter(APPROVALS, "{request}", "approval requests, by what became of them")
        self._wait = meter.create_histogram(
            APPROVAL_WAIT, "s", "from a request to its settlement", explicit_bucket_boundaries_advisory=_WAITS_S
        )
        self._found = meter.create_counter(FINDINGS, "{finding}", "what texts were found to do")
        self._screened = meter.create_histogram(
            SCREENING_TIME, "s", "time to screen an answer", explicit_bucket_boundaries_advisory=_TIMES_S
        )
        self._appended = meter.create_histogram(
            APPEND_TIME, "s", "time to admit a call on disk", explicit_bucket_boundaries_advisory=_TIMES_S
        )
        self._of_decisions = _Series(STAGE, DECISION, RULE, REASON, TOOL_NAME)
        self._of_approvals, self._of_findings = _Series(STATUS, GROUP), _Series(STAGE, KIND, REQUIRED)

    def decided(self, stage: str, call: BoundCall, decision: Decision, outcome: Outcome | None) -> None:
        """Count a decision at *stage*, and what came of it (None: a person is asked)."""
        reason = decision.reason if outcome is None or not decision.permitted else outcome.reason
        known = self._of_decisions.of(stage, decision.effect.value, decision.rule, reason.value, tool_of(call))
        _record(self._decisions.add, 1, known)

    def approval(self, status: str, group: str, *, waited_s: float | None = None) -> None:
        """Count a request of *group* that reached *status*, with how long it waited where that is settled."""
        known = self._of_approvals.of(status, group)
        _record(self._approvals.add, 1, known)
        if waited_s is not None:
            _record(self._wait.record, max(0.0, waited_s), known)

    def found(self, stage: str, required: str, kinds: Iterable[str]) -> None:
        """Count the findings of one text."""
        for kind in kinds:
            _record(self._found.add, 1, self._of_findings.of(stage, kind, required))

    def screened(self, seconds: float) -> None:
        """Record how long an answer of a server was screened."""
        _record(self._screened.record, seconds)

    def appended(self, seconds: float) -> None:
        """Record how long it took until an admission was on disk."""
        _record(self._appended.record, seconds)

    def observe(self, sources: Sources) -> None:
        """Look *sources* up at each collection from now on."""
        self._sources.append(sources)  # it is known for as long as this guard's telemetry is
        at: object = self._provider
        if at is None or at is metrics.get_meter_provider():
            at = _GLOBAL
        if at in _SOURCES:
            _SOURCES[at].add(sources)
        else:
            _SOURCES[at] = known = WeakSet([sources])
            _make_observables(metrics.get_meter("guarded_agents", SCHEMA_VERSION, meter_provider=self._provider), known)


def _record(
    instrument: Callable[[float, Mapping[str, str] | None], None], amount: float, of: Mapping[str, str] | None = None
) -> None:
    """Hand *amount* to an instrument, whatever that makes of it: some stand between a sent call and its outcome."""
    try:
        instrument(amount, of)
    except Exception as error:  # noqa: BLE001 - a provider of the application's; nothing here interrupts or executes
        _log.warning("a metric could not be recorded: %s", type(error).__name__)


class _Gauge(NamedTuple):
    name: str
    unit: str
    description: str
    look: Callable[[Sources], int]


_GAUGES: Final = (
    _Gauge(APPROVALS_PENDING, "{request}", "requests that wait for a person", lambda one: one.pending()),
    _Gauge(IN_DOUBT, "{call}", "calls of which nobody knows whether they happened", lambda one: one.doubts()),
)


def _make_observables(meter: Meter, known: "WeakSet[Sources]") -> None:
    for gauge in _GAUGES:
        meter.create_observable_gauge(gauge.name, [_callback(known, gauge.look)], gauge.unit, gauge.description)
    meter.create_observable_counter(
        AUDIT_ENTRIES, [_callback(known, lambda one: one.entries())], "{entry}", "entries of the audit log"
    )
    meter.create_observable_counter(
        SESSIONS_REOPENED, [_reopened(known)], "{session}", "sessions to servers that were lost and opened again"
    )


_Callback = Callable[[CallbackOptions], Iterable[Observation]]


def _callback(known: "WeakSet[Sources]", look: Callable[[Sources], int]) -> _Callback:
    def observed(_: CallbackOptions) -> Iterator[Observation]:
        for one in list(known):
            try:
                value = look(one)
            except GuardError:  # a store that does not answer has no number
                continue
            yield Observation(value, {AUDIT_LOG: one.log})

    return observed


def _reopened(known: "WeakSet[Sources]") -> _Callback:
    def observed(_: CallbackOptions) -> Iterator[Observation]:
        for one in list(known):
            for server, count in one.reopened().items():
                yield Observation(count, {AUDIT_LOG: one.log, SERVER: server})

    return observed
