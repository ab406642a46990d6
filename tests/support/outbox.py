"""An outbox in memory, with leases, and notifiers that do as they are told."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from guarded_agents.errors import StoreError
from guarded_agents.records import Notice, NoticeKind, RequestStatus, Risk, StandingRequest

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def notice(number: int = 1, **changes: object) -> Notice:
    made = Notice(f"{number:032x}", NoticeKind.ASKED, f"request-{number}", Risk.HIGH, "finance", NOON)
    return replace(made, **changes)


def unavailable() -> StoreError:
    return StoreError("store", expected="a store", got="none", action="repair it")


@dataclass
class FakeOutbox:
    """Keeps notices as the store does; ``fails`` names the methods that raise StoreError."""

    due: dict[str, datetime] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    statuses: dict[str, RequestStatus] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)

    def put(self, *notices: Notice) -> "FakeOutbox":
        for one in notices:
            self.notices[one.id], self.due[one.id] = replace(one, attempt=one.attempt - 1), NOON
        return self

    def request(self, request_id: str) -> StandingRequest | None:
        self._check(f"request {request_id}")
        status = self.statuses.get(request_id, RequestStatus.PENDING)
        return StandingRequest(None, status)  # type: ignore[arg-type]  # only where it stands is looked at

    async def take_notices(self, *, owner: str, limit: int, until: datetime, now: datetime) -> tuple[Notice, ...]:
        self._check("take_notices")
        names = sorted((name for name, due in self.due.items() if due <= now), key=self.due.__getitem__)[:limit]
        for name in names:
            self.due[name] = until
            self.notices[name] = replace(self.notices[name], attempt=self.notices[name].attempt + 1)
        return tuple(self.notices[name] for name in names)

    async def noticed(self, notice: Notice, *, again_at: datetime | None, problem: str = "") -> None:
        self._check("noticed")
        if again_at is None:
            del self.notices[notice.id], self.due[notice.id]
        else:
            self.due[notice.id] = again_at

    def _check(self, method: str) -> None:
        if method in self.fails:
            raise unavailable()


@dataclass
class FakeNotifier:
    """Keeps what it is told; ``answer`` returns what it raises for a notice, None for nothing."""

    answer: Callable[[Notice], BaseException | None] = lambda _: None
    told: list[Notice] = field(default_factory=list)

    async def notify(self, notice: Notice) -> None:
        self.told.append(notice)
        if (error := self.answer(notice)) is not None:
            raise error
