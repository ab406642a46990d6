"""What operators see of one guard whenever metrics are collected."""

from collections.abc import Callable, Iterable
from datetime import datetime
from threading import Lock
from time import perf_counter
from typing import Final

from guarded_agents import nodes
from guarded_agents.audit import FROM_THE_FIRST, Walk
from guarded_agents.stores import Store, Waiting
from guarded_agents.telemetry import Sources
from guarded_agents.transport import Reporting

_MOST: Final = 1_000  # more is no other message
_STRETCH_S: Final = 0.5  # of each collection; some 100,000 entries


class Verified:
    """Verifies the audit log from its first entry on, a stretch at each look."""

    def __init__(self, store: Store, log: str, now: Callable[[], datetime]) -> None:
        """Begin before the first entry of the *log* of *store*; *now* is the clock (UTC)."""
        self._store, self._now, self._lock = store, now, Lock()
        self._walk, self._start = Walk(log), FROM_THE_FIRST
        self._held = 0
        self._last_at: datetime | None = None

    def look(self) -> int:
        """Return how many entries hold, up to the first that does not. Raises StoreError."""
        with self._lock:
            until_s = perf_counter() + _STRETCH_S
            for row in self._store.audit_rows(self._start):
                if self._walk.findings or perf_counter() > until_s:
                    break
                self._take(row)
            return self._held

    def age_s(self) -> float | None:
        """Return how old the last entry that holds is (seconds), None before the first."""
        with self._lock:
            return None if self._last_at is None else (self._now() - self._last_at).total_seconds()

    def _take(self, row: tuple[int, bytes, str]) -> None:
        self._walk.step(*row)
        if not self._walk.findings:
            self._held, self._last_at = self._walk.expected, self._walk.at
            self._start = self._held


def _since(waiting: Waiting, now: datetime) -> tuple[int, float | None]:
    return waiting.requests, None if waiting.since is None else (now - waiting.since).total_seconds()


def _by_server(servers: Iterable[str], tools: Iterable[str]) -> dict[str, int]:
    counts = dict.fromkeys(servers, 0)
    for tool in tools:
        server = tool.partition("/")[0]
        counts[server] = counts.get(server, 0) + 1
    return counts


def sources_of(services: nodes.Services) -> Sources:
    """Return the look-ups over the store, the catalogue and the transport of a guard. Raises StoreError."""
    store, transport, catalog = services.store, services.transport, services.catalog
    log = store.audit_head().log
    verified = Verified(store, log, services.now)
    return Sources(
        log=log,
        waiting=lambda: _since(store.waiting(), services.now()),
        doubts=lambda: len(store.doubts(now=services.now(), limit=_MOST)),
        unreviewed=lambda: len(store.broken_glass(limit=_MOST)),
        entries=lambda: store.audit_head().size,
        verified=verified.look,
        verified_age=verified.age_s,
        quarantined=lambda: _by_server(transport.servers, catalog.quarantine),
        reopened=lambda: transport.reopened if isinstance(transport, Reporting) else {},
    )
