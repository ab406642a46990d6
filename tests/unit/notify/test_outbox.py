"""Delivery: at least once, by a schedule, in nobody's way."""

import asyncio
from datetime import datetime, timedelta

import pytest

from guarded_agents.errors import DeliveryError
from guarded_agents.notify import Delivered, deliver
from guarded_agents.notify import _outbox as schedule
from guarded_agents.records import Notice, NoticeKind, RequestStatus
from guarded_agents.testing import FixedClock
from tests.support.outbox import NOON, FakeNotifier, FakeOutbox, notice


def failing(**more: object) -> DeliveryError:
    return DeliveryError("webhook example", expected="2xx", got="503", action="later", **more)


async def delivered(outbox: FakeOutbox, notifier: FakeNotifier, now: datetime = NOON, **more: object) -> Delivered:
    return await deliver(outbox, notifier, owner="w", now=lambda: now, **more)


async def test_every_notice_that_is_due_is_told_once_and_leaves_the_outbox() -> None:
    outbox, notifier = FakeOutbox().put(*map(notice, range(20))), FakeNotifier()

    assert await delivered(outbox, notifier) == Delivered(sent=20)
    assert sorted(told.id for told in notifier.told) == sorted(notice(number).id for number in range(20))
    assert outbox.notices == {}
    assert await delivered(outbox, notifier) == Delivered()


async def test_no_more_than_the_limit_are_taken() -> None:
    outbox, notifier = FakeOutbox().put(*map(notice, range(20))), FakeNotifier()

    assert await delivered(outbox, notifier, limit=11) == Delivered(sent=11)
    assert len(outbox.notices) == 9


async def test_no_more_than_eight_are_told_at_the_same_time() -> None:
    running, most = 0, 0

    class Slow:
        async def notify(self, notice: Notice) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await deliver(FakeOutbox().put(*map(notice, range(20))), Slow(), owner="w", now=lambda: NOON)
    assert most == 8


FAILURES = {
    "a delivery error": failing(),
    "an error of the application's own": ValueError("of a notifier of one's own"),
    "a cancellation that nobody asked for": asyncio.CancelledError(),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_one_that_fails_is_tried_again_and_the_others_are_told(failure: BaseException) -> None:
    outbox = FakeOutbox().put(notice(1), notice(2))
    notifier = FakeNotifier(lambda told: failure if told == notice(1) else None)

    assert await delivered(outbox, notifier) == Delivered(sent=1, failed=1)
    assert list(outbox.notices) == [notice(1).id]
    assert timedelta(seconds=5) <= outbox.due[notice(1).id] - NOON <= timedelta(seconds=6)


async def test_a_notifier_that_never_returns_is_given_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        async def notify(self, notice: Notice) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(schedule, "NOTIFY_S", 0.001)
    assert await deliver(FakeOutbox().put(notice()), Stuck(), owner="w", now=lambda: NOON) == Delivered(failed=1)


async def test_the_schedule_is_that_of_standard_webhooks_and_ends_after_ten_attempts() -> None:
    outbox, clock, notifier = FakeOutbox().put(notice()), FixedClock(NOON), FakeNotifier(lambda _: failing())
    reasons = []

    async def give_up(notice: Notice, reason: str) -> None:
        reasons.append((notice.attempt, reason))

    waits = []
    while outbox.notices:
        found = await deliver(outbox, notifier, owner="w", now=clock, give_up=give_up)
        if outbox.notices:
            waits.append((outbox.due[notice().id] - clock()).total_seconds())
            clock.advance(waits[-1])
        else:
            assert found == Delivered(given_up=(notice().id,))

    expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert [least <= wait <= 1.1 * least for least, wait in zip(expected, waits, strict=True)] == [True] * 9
    assert {told.id for told in notifier.told} == {notice().id}
    assert [told.attempt for told in notifier.told] == list(range(1, 11))
    assert reasons == [(10, "503")]


async def test_what_failed_together_does_not_come_back_together() -> None:
    outbox = FakeOutbox().put(*(notice(number, attempt=9) for number in range(20)))
    await delivered(outbox, FakeNotifier(lambda _: failing()))

    assert len(set(outbox.due.values())) > 5


async def test_a_receiver_that_names_a_later_time_is_heeded() -> None:
    outbox = FakeOutbox().put(notice())
    await delivered(outbox, FakeNotifier(lambda _: failing(retry_after_s=3_600)))

    assert outbox.due[notice().id] == NOON + timedelta(hours=1)


async def test_one_that_is_of_no_use_to_try_again_is_given_up_at_once() -> None:
    outbox = FakeOutbox().put(notice())
    found = await delivered(outbox, FakeNotifier(lambda _: failing(is_permanent=True)))

    assert (found, outbox.notices) == (Delivered(given_up=(notice().id,)), {})


STALE = {
    "asked, settled": (NoticeKind.ASKED, RequestStatus.REJECTED, False),
    "asked, waiting": (NoticeKind.ASKED, RequestStatus.PENDING, True),
    "escalated, settled": (NoticeKind.ESCALATED, RequestStatus.EXPIRED, False),
    "a review of a call that ran": (NoticeKind.GLASS_BROKEN, RequestStatus.CONSUMED, True),
}


@pytest.mark.parametrize(("kind", "status", "told"), STALE.values(), ids=STALE)
async def test_a_repeated_notice_of_a_request_that_was_settled_meanwhile_is_not_told(
    kind: NoticeKind, status: RequestStatus, told: bool
) -> None:
    outbox, notifier = FakeOutbox(statuses={"request-1": status}).put(notice(kind=kind, attempt=2)), FakeNotifier()

    assert await delivered(outbox, notifier) == (Delivered(sent=1) if told else Delivered(given_up=(notice().id,)))
    assert bool(notifier.told) is told
    assert outbox.notices == {}


async def test_a_request_that_cannot_be_read_ends_no_round_and_silences_nobody() -> None:
    outbox = FakeOutbox(fails={"request request-1"}).put(*(notice(number, attempt=2) for number in range(20)))
    notifier = FakeNotifier()

    assert await delivered(outbox, notifier) == Delivered(sent=20)
    assert outbox.notices == {}


@pytest.mark.parametrize("method", ["take_notices", "noticed"])
async def test_a_store_that_fails_is_told_of_and_loses_no_notice(method: str) -> None:
    outbox, notifier = FakeOutbox(fails={method}).put(notice()), FakeNotifier()

    found = await delivered(outbox, notifier)
    assert found.problem is not None
    assert list(outbox.notices) == [notice().id]

    outbox.fails.clear()
    assert (await delivered(outbox, notifier, NOON + schedule.LEASE)).sent == 1
    assert {told.id for told in notifier.told} == {notice().id}


async def test_what_cannot_be_given_up_on_record_stays_in_the_outbox() -> None:
    outbox = FakeOutbox().put(notice())

    async def give_up(notice: Notice, reason: str) -> None:
        raise outbox_error

    from tests.support.outbox import unavailable

    outbox_error = unavailable()
    found = await delivered(outbox, FakeNotifier(lambda _: failing(is_permanent=True)), give_up=give_up)
    assert (found.given_up, found.problem) == ((), str(outbox_error))
    assert list(outbox.notices) == [notice().id]


async def test_a_cancelled_delivery_leaves_what_it_took_to_the_next_one() -> None:
    outbox, told = FakeOutbox().put(notice()), asyncio.Event()

    class Stuck:
        async def notify(self, notice: Notice) -> None:
            told.set()
            await asyncio.Event().wait()

    work = asyncio.create_task(deliver(outbox, Stuck(), owner="w", now=lambda: NOON))
    await told.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert (await delivered(outbox, FakeNotifier())).sent == 0  # it is leased
    assert (await delivered(outbox, FakeNotifier(), NOON + schedule.LEASE)).sent == 1
