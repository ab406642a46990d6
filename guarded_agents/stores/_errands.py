"""What the guard asks of a store about who is still to be told: threads that wait, and people."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from guarded_agents.records import Notice
from guarded_agents.stores._results import Delayed, StuckNotice, Wake


class Errands(Protocol):
    """What a worker goes about. Every method raises StoreError when the store cannot answer."""

    def delayed(self, *, now: datetime) -> tuple[Delayed, ...]:
        """Return the threads that `take_wake` leaves out at *now* (UTC), leased or to be tried again, by until when."""

    async def take_wake(self, *, owner: str, until: datetime, now: datetime, skip: Collection[str] = ()) -> Wake | None:
        """Lease to *owner*, until *until* (UTC), a thread that may not know of a settled request; none of *skip*.

        First one whose call is approved, by when it has to be sent; then the one that waits longest: settled since
        then, or its lease ended (its worker died), or to be tried again. None where there is none. ``is_told`` where
        its calls have been closed or settled for 10 minutes: whoever ran it may have died before it knew.
        """

    async def woken(self, thread: str, *, owner: str, again_at: datetime | None) -> None:
        """End the lease of *owner* on *thread*.

        It is taken again at *again_at* (UTC) and not before; where that is None, as soon as there is something to tell,
        for it knows of every call that is closed or settled by now.
        """

    async def give_back(self, wake: Wake, *, owner: str, now: datetime) -> None:
        """End the lease of *owner*, who cannot wake that thread; another may take it at once."""

    async def take_notices(self, *, owner: str, limit: int, until: datetime, now: datetime) -> tuple[Notice, ...]:
        """Return notices that are due, oldest first, leased to *owner* until *until* (UTC), but what cannot be read."""

    async def noticed(self, notice: Notice, *, again_at: datetime | None, problem: str = "") -> None:
        """Record that *notice* was delivered (None), or when it is tried again (UTC) for which *problem*."""

    def stuck_notices(self, *, limit: int = 100) -> tuple[StuckNotice, ...]:
        """Return notices that cannot be read, then those whose delivery failed more than once, the oldest first."""
