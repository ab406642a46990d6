"""What operators see of one guard whenever metrics are collected."""

from guarded_agents import nodes
from guarded_agents.telemetry import Sources
from guarded_agents.transport import Reporting

_DOUBTS = 1_000  # more is no other message


def sources_of(services: nodes.Services) -> Sources:
    """Return the look-ups over the store and the transport of a guard. Raises StoreError."""
    store, transport = services.store, services.transport
    return Sources(
        log=store.audit_head().log,
        pending=store.pending,
        doubts=lambda: len(store.doubts(now=services.now(), limit=_DOUBTS)),
        entries=lambda: store.audit_head().size,
        reopened=lambda: transport.reopened if isinstance(transport, Reporting) else {},
    )
