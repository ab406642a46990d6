"""What a store tells operators. Nothing is decided by it."""

from typing import Protocol

from guarded_agents.records import TraceContext
from guarded_agents.stores._results import Waiting


class Observed(Protocol):
    """Spans and counts. Every method raises StoreError when the store cannot answer."""

    def traces(self, request_id: str) -> tuple[tuple[str, TraceContext], ...]:
        """Return in which span the call of a request was held (by "", first), and in which each approver voted."""

    def waiting(self) -> Waiting:
        """Return how many requests are PENDING, and since when the first of them has been asked."""
