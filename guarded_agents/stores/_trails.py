"""What the guard asks of a store about where values come from (DESIGN section 7)."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from guarded_agents.records import Labels, SignedPlanExtension
from guarded_agents.stores._results import AuditNote, SeenMessage, Trail


class Trails(Protocol):
    """What a thread's calls are weighed by. Every method raises StoreError when the store cannot answer."""

    def trail(self, thread: str, *, after: int = 0) -> Trail:
        """Return what is on record of *thread* behind number *after*, and all that is still buffered."""

    def labels_shown(self, thread: str, digests: Collection[str]) -> dict[str, Labels]:
        """Return the labels of those messages of *thread* that are on record, by digest; also what is buffered."""

    def see(self, thread: str, seen: SeenMessage) -> None:
        """Record a message of *thread*, buffered but visible at once; its labels only grow stricter."""

    async def pin(self, thread: str, entry: str, tools: Collection[str], *, note: AuditNote, now: datetime) -> bool:
        """Pin *tools* ("server/tool") as the plan of *thread*; return whether they are pinned now.

        Nothing is pinned where it has a plan, where *entry* is not its current one, or after its first untrusted text.
        """

    async def extend_plan(self, signed: SignedPlanExtension, entry: str, *, note: AuditNote, now: datetime) -> None:
        """Record the verified extension of a plan, once; the same again changes nothing.

        Raises RequestClosedError where *entry*, whose requester it was checked against, is not the current one of its
        thread, or where the plan was extended by that tool, and ApprovalError for a nonce of another statement.
        """
