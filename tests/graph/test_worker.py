"""Workers: what was settled is told, once, by one of them, whatever becomes of the others."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END

from guarded_agents import Answer
from guarded_agents.audit import Kind
from guarded_agents.errors import DeliveryError, StoreError
from guarded_agents.notify import Delivered
from guarded_agents.operations import Failure, Round, Worker
from guarded_agents.records import Notice, RequestStatus
from guarded_agents.stores import Delayed, Swept
from tests.support.bank import asked, calls, model, thread
from tests.support.ledger import CONTEXT, Desk, Ledger, at_desk
from tests.support.outbox import FakeNotifier

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
OTHER = ("wire", {"account": "EVE", "amount_cents": 100})
LEASE_S = 60.0


async def held(desk: Desk, *threads: str) -> list[str]:
    """Let each of *threads* ask for the wire, and return the requests in that order."""
    requests = []
    for name in threads or ("t1",):
        desk.config = thread(name)
        await desk.ask()
        requests += await desk.waiting()
    return requests


async def answered(desk: Desk, *threads: str, answer: Answer = Answer.APPROVE, **more: Any) -> list[str]:
    """Do as `held`, and answer each without waking its thread."""
    requests = await held(desk, *threads)
    for request in requests:
        await desk.guard.vote(desk.signed(request, answer, **more))
    return requests


def worker(desk: Desk, **more: Any) -> Worker:
    return Worker(desk.guard, desk.agent, lease_s=LEASE_S, **more)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_desk(tmp_path, calls(WIRE)) as opened:
        yield opened


async def test_an_approved_call_runs_once_the_worker_comes_round(desk: Desk) -> None:
    await answered(desk)
    assert desk.server.effects == []

    assert (await worker(desk).run_once()).woken == ("t1",)
    assert desk.server.effects == [("wire", 900)]
    assert await desk.told() == {"call-0": "did wire"}
    assert (await worker(desk).run_once()).is_idle
    assert desk.server.effects == [("wire", 900)]


async def test_a_rejection_reaches_the_model_and_nothing_runs(desk: Desk) -> None:
    await answered(desk, answer=Answer.REJECT, text="ask the supplier first")

    assert (await worker(desk).run_once()).woken == ("t1",)
    assert "ask the supplier first" in (await desk.told())["call-0"]
    assert desk.server.effects == []


async def test_time_that_passed_is_told_and_never_approves(desk: Desk) -> None:
    [request] = await held(desk)
    desk.bank.clock.advance(4 * 3_600)

    found = await worker(desk).run_once()
    assert (found.swept.expired, found.woken) == ((request,), ("t1",))
    assert (await desk.reasons(), desk.server.effects) == (["expired"], [])


async def test_a_thread_that_waits_for_people_is_left_alone(desk: Desk) -> None:
    await held(desk)
    before = (await desk.state()).config

    assert (await worker(desk).run_once()).is_idle
    assert (await desk.state()).config == before


async def test_siblings_are_told_as_each_of_them_is_settled(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE, OTHER)) as desk:
        await desk.ask()
        first, second = await desk.waiting()
        await desk.guard.vote(desk.signed(first))
        assert (await worker(desk).run_once()).woken == ("t1",)
        assert (len(desk.server.effects), await desk.waiting()) == (1, [second])

        await desk.guard.vote(desk.signed(second))
        assert (await worker(desk).run_once()).woken == ("t1",)
        assert sorted(desk.server.effects) == [("wire", 100), ("wire", 900)]


async def test_many_threads_are_woken_but_no_more_at_once_than_was_said(desk: Desk) -> None:
    names = [f"t{number}" for number in range(7)]
    await answered(desk, *names)
    running, most = 0, 0
    wake = desk.guard.wake

    async def counted(agent: Any, name: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await wake(agent, name)
        running -= 1

    desk.guard.wake = counted  # type: ignore[method-assign]
    assert (await worker(desk, concurrency=3).run_once()).woken == tuple(names)
    assert most == 3
    assert len(desk.server.effects) == 7


async def test_several_workers_never_wake_one_thread_at_the_same_time(tmp_path: Path) -> None:
    names, running, saver, server = [f"t{number}" for number in range(8)], set[str](), InMemorySaver(), Ledger()

    def alone(desk: Desk) -> Desk:
        wake = desk.guard.wake

        async def checked(agent: Any, name: str) -> None:
            assert name not in running
            running.add(name)
            await wake(agent, name)
            running.remove(name)

        desk.guard.wake = checked  # type: ignore[method-assign]
        return desk

    async with (
        at_desk(tmp_path, calls(WIRE), saver=saver, server=server) as desk,
        at_desk(tmp_path, calls(WIRE), saver=saver, server=server, bank=desk.bank) as second,  # another process's store
    ):
        await answered(desk, *names)
        working = [worker(each, concurrency=2) for each in (alone(desk), alone(second)) for _ in range(2)]
        rounds = await asyncio.gather(*(one.run_once() for one in working))

        assert sorted(name for found in rounds for name in found.woken) == names
        assert [(found.failed, found.problems) for found in rounds] == [((), ())] * 4
        assert len(server.effects) == 8


async def test_a_thread_whose_model_raises_is_tried_again_later_and_holds_up_no_other(tmp_path: Path) -> None:
    broken = True

    def reply(messages: Any) -> Any:
        if broken and "one" in [message.content for message in messages]:
            msg = "quotes a prompt"
            raise ValueError(msg)
        return calls()

    async with at_desk(tmp_path, calls(WIRE), reply) as desk:
        now = desk.bank.clock()
        for name in ("one", "two"):
            await desk.agent.ainvoke(asked(name), thread(name), context=CONTEXT)
            [found] = (await desk.agent.aget_state(thread(name))).interrupts
            await desk.guard.vote(desk.signed(found.value["request_id"]))
        work = worker(desk)
        later = (Delayed("one", now + timedelta(seconds=5), is_leased=False),)
        assert await work.run_once() == Round(woken=("two",), failed=(Failure("one", "ValueError"),), delayed=later)
        assert len(desk.server.effects) == 2  # the call had run: only the model was not told

        broken = False
        assert (await work.run_once()).is_idle
        desk.bank.clock.advance(5)
        assert (await work.run_once()).woken == ("one",)
        assert (len(desk.server.effects), (await work.run_once()).is_idle) == (2, True)


async def test_the_waits_of_a_thread_that_cannot_go_on_grow_to_an_hour(desk: Desk) -> None:
    await answered(desk)
    clock, work, waits = desk.bank.clock, worker(desk), list[float]()

    async def broken(agent: Any, name: str) -> None:
        raise StoreError("checkpointer", expected="a disk", got="none", action="repair it")

    good, desk.guard.wake = desk.guard.wake, broken  # type: ignore[method-assign]
    for _ in range(12):
        assert [failure.thread for failure in (await work.run_once()).failed] == ["t1"]
        assert (await work.run_once()).is_idle
        waited = 0.0
        while not await desk.guard.store.take_wake(owner="x", until=clock(), now=clock()):
            clock.advance(5)
            waited += 5
        waits.append(waited)
        await desk.guard.store.woken("t1", owner="x", again_at=None)
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == waits[-2] == 3_600

    desk.guard.wake = good  # type: ignore[method-assign]
    assert (await work.run_once()).woken == ("t1",)  # and is told that it came too late
    assert desk.server.effects == []


async def test_a_thread_that_this_graph_does_not_know_is_told_of_and_not_tried_at_once(desk: Desk) -> None:
    await answered(desk)
    elsewhere = desk.guard.agent(model(), checkpointer=InMemorySaver())

    theirs = Worker(desk.guard, elsewhere)
    for wait in (5, 10, 20):
        [failure] = (await theirs.run_once()).failed
        assert (failure.thread, "doctor" in failure.error) == ("t1", True)
        desk.bank.clock.advance(wait - 1)
        assert (await theirs.run_once()).is_idle
        desk.bank.clock.advance(1)
    assert desk.server.effects == []


async def test_the_worker_of_another_application_keeps_no_thread_from_its_own(desk: Desk) -> None:
    theirs = Worker(desk.guard, desk.guard.agent(model(), checkpointer=InMemorySaver()))
    await answered(desk)
    for _ in range(12):
        await theirs.run_once()
        desk.bank.clock.advance(60)

    assert (await worker(desk).run_once()).woken == ("t1",)
    assert desk.server.effects == [("wire", 900)]
    desk.bank.clock.advance(7_200)
    assert (await theirs.run_once()).is_idle


async def test_threads_that_take_their_whole_lease_do_not_keep_an_approved_call_from_being_sent(tmp_path: Path) -> None:
    tries: list[str] = []

    async def slowly(agent: Any, name: str) -> None:
        tries.append(name)
        if len(tries) == 4:
            stop.set()
        if name != "paid":
            desk.bank.clock.advance(540)
            await asyncio.Event().wait()
        await wake(agent, name)

    async with at_desk(tmp_path, calls(WIRE)) as desk:
        *slow, paid = await held(desk, "slow-1", "slow-2", "slow-3", "paid")
        for request in slow:
            await desk.guard.vote(desk.signed(request, Answer.REJECT))
        desk.bank.clock.advance(1)
        await desk.guard.vote(desk.signed(paid))
        wake, desk.guard.wake = desk.guard.wake, slowly  # type: ignore[method-assign]

        stop = asyncio.Event()
        await Worker(desk.guard, desk.agent, concurrency=1, lease_s=0.3).run(every_s=1, stop=stop)
        assert desk.server.effects == [("wire", 900)]
        assert tries == ["paid", "slow-1", "slow-2", "slow-3"]  # and then each in its turn


async def test_a_thread_that_was_written_to_its_end_is_told_of_and_looked_at_ever_less(desk: Desk) -> None:
    await answered(desk)
    await desk.agent.aupdate_state(desk.config, None, as_node=END)

    work = worker(desk)
    for wait in (5, 10, 20):
        [failure] = (await work.run_once()).failed
        assert (failure.thread, "doctor" in failure.error) == ("t1", True)
        desk.bank.clock.advance(wait - 1)
        assert (await work.run_once()).is_idle
        desk.bank.clock.advance(1)
    assert desk.server.effects == []


async def test_a_wake_ends_before_its_lease_does(desk: Desk) -> None:
    await answered(desk)

    async def stuck(agent: Any, name: str) -> None:
        await asyncio.Event().wait()

    desk.guard.wake = stuck  # type: ignore[method-assign]
    found = await Worker(desk.guard, desk.agent, lease_s=0.01).run_once()
    assert found.failed == (Failure("t1", "TimeoutError"),)


@pytest.mark.parametrize("method", ["sweep", "take_wake", "woken", "take_notices", "delayed"])
async def test_a_store_that_fails_is_told_of_and_the_next_round_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    await answered(desk)

    def fails(*_: object, **__: object) -> None:
        raise StoreError("store", expected="a disk", got="none", action="repair it")

    work = worker(desk, notifier=FakeNotifier())
    with monkeypatch.context() as patched:
        patched.setattr(desk.guard.store, method, fails)
        assert len((await work.run_once()).problems) >= 1
    desk.bank.clock.advance(LEASE_S)
    await work.run_once()
    assert desk.server.effects == [("wire", 900)]
    assert await desk.told() == {"call-0": "did wire"}


# -- notices ---------------------------------------------------------------------------------------


async def test_the_group_is_told_that_something_waits_and_of_no_argument(desk: Desk) -> None:
    notifier = FakeNotifier()
    [request] = await held(desk)

    assert (await worker(desk, notifier=notifier).run_once()).delivered == Delivered(sent=1)
    [told] = notifier.told
    assert (told.request, told.to, told.kind.value) == (request, "finance", "asked")
    assert "ACME" not in repr(told)
    assert (await worker(desk, notifier=notifier).run_once()).is_idle


async def test_without_a_notifier_notices_wait(desk: Desk) -> None:
    await held(desk)
    assert (await worker(desk).run_once()).is_idle
    assert (await worker(desk, notifier=FakeNotifier()).run_once()).delivered.sent == 1


async def test_a_notice_that_is_given_up_stands_in_the_log(desk: Desk) -> None:
    gone = DeliveryError("webhook", expected="2xx", got="410", action="take it out", is_permanent=True)
    [request] = await held(desk)

    found = await worker(desk, notifier=FakeNotifier(lambda _: gone)).run_once()
    assert len(found.delivered.given_up) == 1
    rows = [row.decode() for _, row, _ in desk.guard.store.audit_rows()]
    [entry] = [row for row in rows if f'"kind":"{Kind.NOTICE}"' in row]
    assert request in entry
    assert '"reason":"410"' in entry
    standing = desk.guard.store.request(request)
    assert standing is not None
    assert standing.status is RequestStatus.PENDING


async def test_a_notice_that_cannot_be_read_is_reported_once_and_the_others_are_told(
    desk: Desk, tmp_path: Path
) -> None:
    poisoned, other = await held(desk, "t1", "t2")
    with sqlite3.connect(tmp_path / "desk" / "guard.db") as db:
        db.execute("UPDATE notices SET kind = 'x' WHERE request = ?", (poisoned,))
    db.close()
    notifier = FakeNotifier()
    desk.bank.clock.advance(3_600)  # the second asked the same as the first, and is told of later
    work = worker(desk, notifier=notifier)
    found = await work.run_once()
    assert ([told.request for told in notifier.told], len(found.problems)) == ([other], 1)
    assert "doctor" in found.problems[0]
    assert (await work.run_once()).is_idle


# -- crashes ---------------------------------------------------------------------------------------


class Died(BaseException):
    """The process is no more."""


class Death:
    """Ends a process *left* steps from now: that step and all after it leave no trace. Never while it is negative."""

    left = -1

    def step(self) -> None:
        if self.left == 0:
            raise Died
        self.left -= 1

    def before(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def mortal(*positional: Any, **named: Any) -> Any:
            self.step()
            return await work(*positional, **named)

        return mortal


class MortalSaver(InMemorySaver):
    """Checkpoints that a process writes until it dies. LangGraph uses a copy of it, which shares ``death``."""

    def __init__(self) -> None:
        super().__init__()
        self.death = Death()

    async def aput(self, *positional: Any, **named: Any) -> Any:
        self.death.step()
        return await super().aput(*positional, **named)

    async def aput_writes(self, *positional: Any, **named: Any) -> Any:
        self.death.step()
        return await super().aput_writes(*positional, **named)


MORE_THAN_A_ROUND = 18
STEPS = ("sweep", "take_wake", "woken", "take_notices", "noticed", "admit", "settle", "refuse", "append")


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT])
@pytest.mark.parametrize("step", range(MORE_THAN_A_ROUND + 1))
async def test_wherever_a_worker_dies_another_one_tells_the_thread_and_nothing_runs_twice(
    tmp_path: Path, step: int, answer: Answer
) -> None:
    saver, notifier = MortalSaver(), FakeNotifier()
    death = saver.death
    async with at_desk(tmp_path, calls(WIRE), saver=saver) as desk:
        [request] = await answered(desk, answer=answer)
        death.left = step
        with pytest.MonkeyPatch.context() as patched, suppress(Died, BaseExceptionGroup):
            patched.setattr(notifier, "notify", death.before(notifier.notify))
            for name in STEPS:
                patched.setattr(desk.guard.store, name, death.before(getattr(desk.guard.store, name)))
            await worker(desk, notifier=notifier, concurrency=1).run_once()
        assert death.left == 0 or step >= MORE_THAN_A_ROUND - (answer is Answer.REJECT)
        death.left = -1

        desk.bank.clock.advance(2 * LEASE_S)  # the leases of the worker and of a claim
        found = await worker(desk, notifier=notifier).run_once()
        assert (found.failed, found.problems) == ((), ())
        assert desk.server.effects == ([("wire", 900)] if answer is Answer.APPROVE else [])
        assert list(await desk.told()) == ["call-0"]
        assert (await desk.state()).next == ()
        assert {told.request for told in notifier.told} <= {request}  # it is settled: nobody need be told
        assert (await worker(desk, notifier=notifier).run_once()).is_idle


@pytest.mark.requirement("I4")
async def test_who_resumes_and_dies_before_the_checkpoint_leaves_a_thread_that_is_told(tmp_path: Path) -> None:
    saver = MortalSaver()
    async with at_desk(tmp_path, calls(WIRE), saver=saver) as desk:
        [request] = await held(desk)

        def die() -> None:
            saver.death.left = 0

        desk.server.before = die
        with suppress(Died, BaseExceptionGroup):
            await desk.approve(request)
        saver.death.left, desk.server.before = -1, lambda: None
        assert (desk.server.effects, await desk.waiting()) == ([("wire", 900)], [request])

        work = worker(desk)
        assert (await work.run_once()).is_idle  # for it could still be under way
        desk.bank.clock.advance(600)
        assert (await work.run_once()).woken == ("t1",)
        assert (await desk.told(), desk.server.effects) == ({"call-0": "did wire"}, [("wire", 900)])
        desk.bank.clock.advance(600)
        assert (await work.run_once()).is_idle


@pytest.mark.parametrize("is_at_its_end", [True, False])
async def test_a_thread_that_knows_already_is_not_run_once_more(tmp_path: Path, is_at_its_end: bool) -> None:
    async with at_desk(tmp_path, calls(WIRE), calls(OTHER)) as desk:
        [request] = await held(desk)
        if is_at_its_end:
            await desk.approve(request, Answer.REJECT)
            [request] = await desk.waiting()
        await desk.approve(request)
        desk.bank.clock.advance(600)
        before = (await desk.state()).config
        assert (await worker(desk).run_once()).is_idle
        assert (await desk.state()).config == before


async def test_a_thread_that_a_dead_worker_has_leased_is_told_of_with_until_when(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await answered(desk)
        now = desk.bank.clock()
        until = now + timedelta(seconds=LEASE_S)
        await desk.guard.store.take_wake(owner="dead", until=until, now=now)

        found = await worker(desk).run_once()
        assert found == Round(delayed=(Delayed("t1", until, is_leased=True),))
        assert (found.is_idle, desk.server.effects) == (True, [])

        desk.bank.clock.advance(LEASE_S)
        assert await worker(desk).run_once() == Round(woken=("t1",))
        assert desk.server.effects == [("wire", 900)]


# -- running ---------------------------------------------------------------------------------------


async def test_it_runs_until_it_is_stopped_and_finishes_what_is_under_way(tmp_path: Path) -> None:
    stop, sending, reply = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        sending.set()
        await reply.wait()

    async with at_desk(tmp_path, calls(WIRE), server=Ledger(before=slow)) as desk:
        rounds: list[Round] = []
        running = asyncio.create_task(worker(desk).run(every_s=0.001, stop=stop, report=rounds.append))
        await answered(desk)
        await sending.wait()
        stop.set()
        reply.set()
        await running

        assert await desk.told() == {"call-0": "did wire"}
        assert [found.woken for found in rounds if found.woken] == [("t1",)]


async def test_a_slow_thread_and_a_slow_receiver_hold_up_nothing_else(tmp_path: Path) -> None:
    stop, reply, both = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Stuck:
        async def notify(self, notice: Notice) -> None:
            await reply.wait()

    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await answered(desk, "slow", "quick")
        desk.server.before = lambda: reply.wait() if len(desk.server.sent) == 1 else both.set()
        running = asyncio.create_task(worker(desk, notifier=Stuck(), concurrency=2).run(every_s=0.001, stop=stop))
        await both.wait()  # the second was sent while the first was under way
        stop.set()
        reply.set()
        await running
        assert len(desk.server.effects) == 2


async def test_a_worker_that_is_stopped_before_it_starts_does_nothing(desk: Desk) -> None:
    await answered(desk)
    stop = asyncio.Event()
    stop.set()

    await worker(desk).run(every_s=60, stop=stop)
    assert desk.server.effects == []


def test_an_idle_round_is_told_from_one_that_did_something() -> None:
    assert Round().is_idle
    assert not Round(swept=Swept(in_doubt=1)).is_idle
