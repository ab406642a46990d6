"""What the guard asks of a store about where values come from (DESIGN section 7)."""

from collections.abc import Collection
from typing import Protocol

from guarded_agents.records import Labels
from guarded_agents.stores._results import SeenMessage, Trail


class Trails(Protocol):
    """What a thread's calls are weighed by. Every method raises StoreError when the store cannot answer."""

    def trail(self, thread: str, *, after: int = 0) -> Trail:
        """Return what is on record of *thread* behind number *after*, and all that is still buffered."""

    def labels_shown(self, thread: str, digests: Collection[str]) -> dict[str, Labels]:
        """Return the labels of those messages of *thread* that are on record, by digest; also what is buffered."""

    def see(self, thread: str, seen: SeenMessage) -> None:
        """Record a message of *thread*, buffered but visible at once; its labels only grow stricter."""
