"""Delivers what lies in the store's outbox, at least once, and never in anybody's way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from guarded_agents.errors import DeliveryError, StoreError
from guarded_agents.notify._notifier import Notifier
from guarded_agents.records import Notice, NoticeKind, RequestStatus, StandingRequest

CONCURRENCY: Final = 8
NOTIFY_S: Final = 30.0  # for one notice, whatever the notifier is
LEASE: Final = timedelta(seconds=2 * NOTIFY_S)  # longer than that: a second worker takes what the first one lost
WAITS: Final = tuple(  # after the first failure, the second, … (Standard Webhooks 1.0.0, "Example retry schedule")
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
_JITTER_PERCENT: Final = 10
_OF_PENDING: Final = (NoticeKind.ASKED, NoticeKind.ESCALATED, NoticeKind.DELEGATED)


class Outbox(Protocol):
    """What delivery asks of the store; each method as in `guarded_agents.stores.Store`."""

    def request(self, request_id: str) -> StandingRequest | None:
        """Return the request of that id."""
        ...

    async def take_notices(self, *, owner: str, limit: int, until: datetime, now: datetime) -> tuple[Notice, ...]:
        """Return notices that are due, leased to *owner*."""
        ...

    async def noticed(self, notice: Notice, *, again_at: datetime | None, problem: str = "") -> None:
        """Record that *notice* was delivered (None), or when it is tried again for which *problem*."""
        ...


GiveUp = Callable[[Notice, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery did: how many notices were sent, are tried again later, and are not tried again.

    *given_up* names the last. *reason* says why the latest that failed did: who was told, and what came back.
    *problem* says why the store could not be asked or told, None where it could.
    """

    sent: int = 0
    failed: int = 0
    given_up: tuple[str, ...] = ()
    problem: str | None = None
    reason: str | None = field(default=None, compare=False)


async def deliver(
    outbox: Outbox,
    notifier: Notifier,
    *,
    owner: str,
    now: Callable[[], datetime],
    limit: int = 100,
    give_up: GiveUp | None = None,
) -> Delivered:
    """Take at most *limit* notices that are due (8 at a time, each leased for a minute) and tell each once.

    Never raises: a notice that did not arrive is tried again by the schedule of `WAITS`, or later where the
    receiver says so. After the last try, where that is of no use, and where a repeated notice is about a request that
    has been settled meanwhile, it is given up: *give_up* is called first, with the notice and the reason, then the
    notice leaves the outbox. A crash between telling and recording tells the notice twice, under the same id.
    """
    work = _Delivery(outbox, notifier, now, give_up)
    left = limit
    while left > 0 and work.problem is None:
        try:
            taken = await outbox.take_notices(owner=owner, limit=min(CONCURRENCY, left), until=now() + LEASE, now=now())
        except StoreError as error:
            work.problem = str(error)
            break
        if not taken:
            break
        left -= len(taken)
        async with asyncio.TaskGroup() as group:
            for notice in taken:
                group.create_task(work.attend(notice))
    return Delivered(work.sent, work.failed, tuple(sorted(work.given_up)), work.problem, work.reason)


def next_try(notice: Notice, *, failed_at: datetime, retry_after_s: int | None = None) -> datetime | None:
    """Return when *notice* is tried again after its attempt failed at *failed_at* (UTC), None for never.

    Up to 10 % is added, another part for each notice, so that what failed together does not come back together.
    """
    if notice.attempt > len(WAITS):
        return None
    wait = WAITS[max(notice.attempt, 1) - 1]
    share = int.from_bytes(sha256(f"{notice.id} {notice.attempt}".encode()).digest()[:2]) % (_JITTER_PERCENT + 1)
    return failed_at + max(wait + wait * share // 100, timedelta(seconds=retry_after_s or 0))


class _Delivery:
    """One call of `deliver`."""

    def __init__(self, outbox: Outbox, notifier: Notifier, now: Callable[[], datetime], give_up: GiveUp | None) -> None:
        self._outbox, self._notifier, self._now, self._give_up = outbox, notifier, now, give_up
        self.sent, self.failed = 0, 0
        self.given_up: list[str] = []
        self.problem: str | None = None
        self.reason: str | None = None

    async def attend(self, notice: Notice) -> None:
        """Tell *notice* and record what came of it; a notice whose record fails comes back when its lease ends."""
        try:
            if notice.attempt > 1 and self._is_settled(notice):
                await self._end(notice, "settled")
                return
            failure = await self._tell(notice)
            if failure is None:
                self.sent += 1
                await self._outbox.noticed(notice, again_at=None)
                return
            self.reason = reason = f"{failure.subject}: {failure.got}"
            again_at = next_try(notice, failed_at=self._now(), retry_after_s=failure.retry_after_s)
            if failure.is_permanent or again_at is None:
                await self._end(notice, failure.got)
                return
            self.failed += 1
            await self._outbox.noticed(notice, again_at=again_at, problem=reason)
        except StoreError as error:
            self.problem = str(error)

    async def _tell(self, notice: Notice) -> DeliveryError | None:
        """Return why *notice* was not told, None where it was."""
        # A notifier is the application's own and may raise anything. Nothing is executed or interrupted in it, and
        # gather lets KeyboardInterrupt and a cancellation of this task through.
        (result,) = await asyncio.gather(
            asyncio.wait_for(self._notifier.notify(notice), NOTIFY_S), return_exceptions=True
        )
        if result is None or isinstance(result, DeliveryError):
            return result
        return DeliveryError("notifier", expected="one that tells it", got=type(result).__name__, action="repair it")

    async def _end(self, notice: Notice, reason: str) -> None:
        if self._give_up is not None:
            await self._give_up(notice, reason)
        self.given_up.append(notice.id)
        await self._outbox.noticed(notice, again_at=None)

    def _is_settled(self, notice: Notice) -> bool:
        """Return whether nobody needs to be told any more; not where the request cannot be read."""
        try:
            standing = self._outbox.request(notice.request)
        except StoreError:
            return False
        return notice.kind in _OF_PENDING and (standing is None or standing.status is not RequestStatus.PENDING)
