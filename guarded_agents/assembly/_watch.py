"""Looks at what the servers offer, and quarantines what was not reviewed like that."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from guarded_agents.audit import Kind
from guarded_agents.catalog import Catalog, Drift, DriftKind, of_observed
from guarded_agents.errors import TransportError
from guarded_agents.nodes import HomeLoop
from guarded_agents.stores import AuditNote, Store
from guarded_agents.transport import ToolTransport

_LOOK_AGAIN: Final = timedelta(seconds=30)  # at a server whose tools are quarantined, when one of them is called


@dataclass(frozen=True, slots=True)
class Watch:
    """The eyes of one guard on its servers."""

    catalog: Catalog
    transport: ToolTransport
    store: Store
    home: HomeLoop
    now: Callable[[], datetime]  # UTC
    _looked: dict[str, datetime] = field(default_factory=dict)

    async def observe(self, server: str) -> None:
        """Look at what *server* offers now; one that cannot be asked has all of its tools quarantined.

        Raises StoreError where a drift could not be recorded; the tools are quarantined all the same.
        """
        self._looked[server] = self.now()
        try:
            offered = await self.home.run(self.transport.list_tools(server, principal=""))
            drifts = self.catalog.observe(server, [of_observed(tool) for tool in offered])
        except TransportError as error:
            drifts = self.catalog.lose(server, str(error.got))
        except Exception as error:  # noqa: BLE001 - nothing here interrupts or executes, and doubt is a deny
            drifts = self.catalog.lose(server, type(error).__name__)
        if drifts:
            await self.store.append([_note(drift) for drift in drifts], now=self.now())

    async def recover(self, server: str) -> None:
        """Look again, but not more often than every 30 s."""
        if server not in self._looked or self.now() - self._looked[server] >= _LOOK_AGAIN:
            await self.observe(server)


def _note(drift: Drift) -> AuditNote:
    kind = Kind.TOOL_RESTORED if drift.kind is DriftKind.RESTORED else Kind.TOOL_QUARANTINED
    return AuditNote(
        kind, {"tool": drift.key, "kind": drift.kind.value, "reviewed": drift.reviewed, "observed": drift.observed}
    )
