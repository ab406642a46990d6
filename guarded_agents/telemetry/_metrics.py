"""The instruments. Each has a bounded number of series: what comes after `MAX_SERIES` counts under ``_OTHER``.

With no meter provider each costs the making of its attributes, and a call of a method that does nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry import metrics
from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    Histogram,
    Meter,
    MeterProvider,
    NoOpCounter,
    NoOpHistogram,
    NoOpMeter,
    Observation,
)

from guarded_agents._provider import quietly
from guarded_agents.errors import GuardError
from guarded_agents.records import BoundCall, Decision, Outcome
from guarded_agents.telemetry._names import (
    APPEND_TIME,
    APPROVAL_WAIT,
    APPROVALS,
    APPROVALS_AGE,
    APPROVALS_PENDING,
    AUDIT_ENTRIES,
    AUDIT_LOG,
    AUDIT_VERIFIED,
    AUDIT_VERIFIED_AGE,
    DECISION,
    DECISIONS,
    FINDINGS,
    GLASS_UNREVIEWED,
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
    TOOLS_QUARANTINED,
)
from guarded_agents.telemetry._words import tool_of

MAX_SERIES: Final = 1_000
_WAITS_S: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0)  # a second to a week
_TIMES_S: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True, eq=False)
class Sources:
    """What is looked up whenever metrics are collected: of one guard's store, catalogue and transport."""

    log: str  # the id of the audit log, by which stores are told apart
    waiting: Callable[[], tuple[int, float | None]]  # requests, and since how many seconds the first
    doubts: Callable[[], int]
    unreviewed: Callable[[], int]  # broken glass
    entries: Callable[[], int]
    verified: Callable[[], int]  # entries that hold, after a look at those that came
    verified_age: Callable[[], float | None]  # of the last of them, in seconds
    quarantined: Callable[[], Mapping[str, int]]  # tools, by server
    reopened: Callable[[], Mapping[str, int]]  # sessions, by server


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
        meter = _meter(provider)
        self._provider, self._sources = provider, list[Sources]()
        self._decisions = _counter(meter, DECISIONS, "{decision}", "decisions about calls")
        self._approvals = _counter(meter, APPROVALS, "{request}", "approval requests, by what became of them")
        self._wait = _histogram(meter, APPROVAL_WAIT, "from a request to its settlement", _WAITS_S)
        self._found = _counter(meter, FINDINGS, "{finding}", "what texts were found to do")
        self._screened = _histogram(meter, SCREENING_TIME, "time to screen an answer", _TIMES_S)
        self._appended = _histogram(meter, APPEND_TIME, "time to admit a call on disk", _TIMES_S)
        self._of_decisions = _Series(STAGE, DECISION, RULE, REASON, TOOL_NAME)
        self._of_approvals, self._of_findings = _Series(STATUS, GROUP), _Series(STAGE, KIND, REQUIRED)

    def decided(self, stage: str, call: BoundCall, decision: Decision, outcome: Outcome | None) -> None:
        """Count a decision at *stage*, and what came of it (None: a person is asked)."""
        reason = decision.reason if outcome is None or not decision.permitted else outcome.reason
        known = self._of_decisions.of(stage, decision.effect.value, decision.rule, reason.value, tool_of(call))
        quietly(lambda: self._decisions.add(1, known), None)

    def approval(self, status: str, group: str, *, waited_s: float | None = None) -> None:
        """Count a request of *group* that reached *status*, with how long it waited where that is settled."""
        known = self._of_approvals.of(status, group)
        quietly(lambda: self._approvals.add(1, known), None)
        if waited_s is not None:
            quietly(lambda: self._wait.record(max(0.0, waited_s), known), None)

    def found(self, stage: str, required: str, kinds: Iterable[str]) -> None:
        """Count the findings of one text."""
        for kind in kinds:
            self._finding(self._of_findings.of(stage, kind, required))

    def _finding(self, known: Mapping[str, str]) -> None:
        quietly(lambda: self._found.add(1, known), None)

    def screened(self, seconds: float) -> None:
        """Record how long an answer of a server was screened."""
        quietly(lambda: self._screened.record(seconds), None)

    def appended(self, seconds: float) -> None:
        """Record how long it took until an admission was on disk."""
        quietly(lambda: self._appended.record(seconds), None)

    def observe(self, sources: Sources) -> None:
        """Look *sources* up at each collection from now on."""
        self._sources.append(sources)  # it is known for as long as this guard's telemetry is
        quietly(lambda: self._observe(sources), None)

    def _observe(self, sources: Sources) -> None:
        at: object = self._provider
        if at is None or at is metrics.get_meter_provider():
            at = _GLOBAL
        if at in _SOURCES:
            _SOURCES[at].add(sources)
        else:
            _SOURCES[at] = known = WeakSet([sources])
            _make_observables(_meter(self._provider), known)


def _meter(provider: MeterProvider | None) -> Meter:
    return quietly(
        lambda: metrics.get_meter("guarded_agents", SCHEMA_VERSION, meter_provider=provider),
        NoOpMeter("guarded_agents"),
    )


def _counter(meter: Meter, name: str, unit: str, description: str) -> Counter:
    return quietly(lambda: meter.create_counter(name, unit, description), NoOpCounter(name))


def _histogram(meter: Meter, name: str, description: str, boundaries_s: Sequence[float]) -> Histogram:
    return quietly(
        lambda: meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=boundaries_s),
        NoOpHistogram(name),
    )


Looked = Iterable[tuple[float, Mapping[str, str]]]
"""Values, each with attributes beside the log's id."""


class _Observable(NamedTuple):
    name: str
    unit: str
    description: str
    look: Callable[[Sources], Looked]


_GAUGES: Final = (
    _Observable(APPROVALS_PENDING, "{request}", "requests that wait for a person", lambda one: _one(one.waiting()[0])),
    _Observable(APPROVALS_AGE, "s", "since when the first of them waits", lambda one: _one(one.waiting()[1])),
    _Observable(GLASS_UNREVIEWED, "{request}", "broken glass without a review", lambda one: _one(one.unreviewed())),
    _Observable(IN_DOUBT, "{call}", "calls of which nobody knows if they happened", lambda one: _one(one.doubts())),
    _Observable(AUDIT_VERIFIED, "{entry}", "entries that hold, from the first on", lambda one: _one(one.verified())),
    _Observable(AUDIT_VERIFIED_AGE, "s", "age of the last entry that holds", lambda one: _one(one.verified_age())),
    _Observable(TOOLS_QUARANTINED, "{tool}", "tools that may not be called", lambda one: _each(one.quarantined())),
)
_COUNTERS: Final = (
    _Observable(AUDIT_ENTRIES, "{entry}", "entries of the audit log", lambda one: _one(one.entries())),
    _Observable(
        SESSIONS_REOPENED,
        "{session}",
        "sessions to servers that were lost and opened again",
        lambda one: _each(one.reopened()),
    ),
)


def _one(value: float | None) -> Looked:
    return () if value is None else ((value, {}),)


def _each(by_server: Mapping[str, int]) -> Looked:
    return [(count, {SERVER: server}) for server, count in by_server.items()]


def _make_observables(meter: Meter, known: "WeakSet[Sources]") -> None:
    for made, observables in (
        (meter.create_observable_gauge, _GAUGES),
        (meter.create_observable_counter, _COUNTERS),
    ):
        for one in observables:
            made(one.name, [_callback(known, one.look)], one.unit, one.description)


def _callback(
    known: "WeakSet[Sources]", look: Callable[[Sources], Looked]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observed(_: CallbackOptions) -> Iterator[Observation]:
        for one in list(known):
            with suppress(GuardError):  # a store that does not answer has no number
                for value, about in look(one):
                    yield Observation(value, {AUDIT_LOG: one.log, **about})

    return observed
