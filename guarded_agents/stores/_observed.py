"""What a store tells operators. Nothing is decided by it."""

from typing import Protocol

from guarded_agents.records import TraceContext


class Observed(Protocol):
    """Spans and counts. Every method raises StoreError when the store cannot answer."""

    def traces(self, request_id: str) -> tuple[tuple[str, TraceContext], ...]:
        """Return in which span the call of a request was held (by "", first), and in which each approver voted."""

    def pending(self) -> int:
        """Return how many requests are PENDING."""
