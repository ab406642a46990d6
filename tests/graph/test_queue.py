"""What may wait for people is bounded, and load never approves anything (DESIGN section 8)."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import Answer, GuardContext, Principal
from guarded_agents.operations import Worker
from guarded_agents.records import Notice
from tests.support.bank import CONTEXT, POLICY, RAJ, answers, asked, calls, model, thread, waiting
from tests.support.ledger import Desk, at_desk

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
OTHER = ("wire", {"account": "ACME", "amount_cents": 901})
THIRD = ("wire", {"account": "ACME", "amount_cents": 902})
pytestmark = pytest.mark.requirement("approval:queue", "I6", "I7")


async def at(desk: Desk, name: str, **more: Any) -> tuple[dict[str, str], list[str]]:
    """Ask on the thread *name*; return what the model was told there, and what waits."""
    context = more.pop("context", GuardContext(principal=Principal(id="teller", scopes=("bank:write",))))
    result = await desk.agent.ainvoke(asked(), thread(name), context=context)
    return answers(result["messages"]), waiting(await desk.agent.aget_state(thread(name)))


async def test_an_identical_call_that_waits_already_is_not_asked_again(tmp_path: Path) -> None:
    script = calls((*WIRE, "one"), (*WIRE, "two"))
    async with at_desk(tmp_path, script) as desk:
        told, waits = await at(desk, "t1")
        assert len(waits) == len(desk.guard.store.requests(status=None)) == 1
        assert sum("waits for an approver already" in text for text in told.values()) == len(told) == 1
        await desk.approve(waits[0])
        assert desk.server.effects == [("wire", 900)]
        assert await desk.reasons() == ["coalesced", "permitted"]


async def test_over_two_threads_each_is_asked_and_both_are_one_question(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        for name in ("t1", "t2"):
            _, waits = await at(desk, name)
            assert len(waits) == 1
        one, two = desk.guard.store.requests()
        assert one.question == two.question
        assert {one.thread, two.thread} == {"t1", "t2"}


async def test_what_was_rejected_just_now_is_refused_without_asking(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.approve(request, Answer.REJECT, text="no")
        assert await desk.waiting() == []  # the model asked again in its next turn, and was refused
        messages = (await desk.state()).values["messages"]
        told = [str(message.content) for message in messages if message.type == "tool"]
        assert "rejected the same a short while ago" in told[1]
        assert "2026-01-05T12:15:00Z" in told[1]
        assert len(desk.guard.store.requests(status=None)) == 1
        desk.bank.clock.advance(899)
        assert (await at(desk, "t2"))[1] == []
        desk.bank.clock.advance(1)
        _, waits = await at(desk, "t3")
        assert len(waits) == 1
        assert desk.server.sent == []


async def test_another_call_is_asked_about_after_a_rejection(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), calls(OTHER)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.approve(request, Answer.REJECT)
        [other] = await desk.waiting()
        await desk.approve(other)
        assert desk.server.effects == [("wire", 901)]


FULL = {
    "of the group": POLICY.replace("raj@example.com]}", "raj@example.com], capacity: 2}"),
    "of the principal": POLICY + "queue: {per_principal: 2}\n",
    "of the tenant": POLICY + "queue: {per_tenant: 2}\n",
}


@pytest.mark.parametrize("policy", FULL.values(), ids=FULL)
async def test_beyond_the_capacity_a_call_is_refused_at_once_with_a_hint(tmp_path: Path, policy: str) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=policy) as desk:
        for name in ("t1", "t2"):
            await at(desk, name)
            desk.bank.clock.advance(61)
        told, waits = await at(desk, "t3")
        assert waits == []
        assert "Too many calls wait" in told["call-0"]
        assert "2026-01-05T16:00:00Z" in told["call-0"]  # when the first of them is over
        assert len(desk.guard.store.requests(status=None)) == 2
        assert desk.server.sent == []
        first = waiting(await desk.agent.aget_state(thread("t1")))[0]
        await desk.approve(first)
        _, waits = await at(desk, "t4")  # there is room again
        assert len(waits) == 1


class Phone:
    """A notifier that remembers of which requests people were told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def notify(self, notice: Notice) -> None:
        self.told.append(notice.request)


def propose(desk: Desk, cents: int, saver: InMemorySaver) -> None:
    """Let the model propose a wire of *cents* whenever it is asked from now on."""
    script = calls(("wire", {"account": "ACME", "amount_cents": cents}))
    desk.agent = desk.guard.agent(model(script), checkpointer=saver)


SMALL = FULL["of the group"] + "queue: {per_principal: 1, per_tenant: 1, ask_again_after: 1h}\n"


async def test_who_asks_and_withdraws_and_asks_a_little_otherwise_is_not_heard_without_end(tmp_path: Path) -> None:
    saver = InMemorySaver()
    async with at_desk(tmp_path, policy=SMALL) as desk:
        phone = Phone()
        for n in range(20):
            propose(desk, 900 + n, saver)
            told = await desk.ask(f"please {n}")
            await Worker(desk.guard, desk.agent, notifier=phone).run_once()
            desk.bank.clock.advance(60)
        assert len(phone.told) == len(desk.guard.store.requests(status=None)) == 1
        assert "Too many calls wait" in told["call-0"]
        assert "2026-01-05T13:00:00Z" in told["call-0"]
        desk.bank.clock.advance(40 * 60)
        _, waits = await at(desk, "another thread")
        assert len(waits) == 1
        assert desk.server.sent == []


async def test_a_busy_agent_whose_requests_are_approved_is_not_refused(tmp_path: Path) -> None:
    saver = InMemorySaver()
    async with at_desk(tmp_path, policy=SMALL) as desk:
        for n in range(5):
            propose(desk, 900 + n, saver)
            request = await desk.held(f"please {n}")
            await Worker(desk.guard, desk.agent, notifier=Phone()).run_once()
            await desk.approve(request)
        assert desk.server.effects == [("wire", 900 + n) for n in range(5)]


async def test_an_agent_fills_its_own_queue_whoever_it_acts_for(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=FULL["of the principal"]) as desk:
        asked_for = []
        for n in range(4):
            teller = Principal(id="teller", scopes=("bank:write",), acting_for=f"customer-{n}")
            asked_for += (await at(desk, f"t{n}", context=GuardContext(principal=teller)))[1]
        assert len(asked_for) == len(desk.guard.store.requests()) == 2


async def test_people_are_told_of_what_waits_although_what_stood_for_it_was_withdrawn(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        phone = Phone()
        worker = Worker(desk.guard, desk.agent, notifier=phone)
        waits = []
        for name in ("t1", "t2", "t3"):
            waits += (await at(desk, name))[1]
            await worker.run_once()
            desk.bank.clock.advance(60)
        await desk.guard.cancel("t2")
        await worker.run_once()
        assert phone.told == waits[:1]
        desk.bank.clock.advance(15 * 60)
        await worker.run_once()
        assert phone.told == [waits[0], waits[2]]
        await desk.approve(waits[2])
        await desk.guard.wake(desk.agent, "t3")
        assert desk.server.effects == [("wire", 900)]


@pytest.mark.parametrize(("answer", "minutes"), [(Answer.APPROVE, 30), (Answer.REJECT, 35)], ids=["approve", "reject"])
async def test_people_are_told_of_the_next_where_they_have_answered_what_stood_for_it(
    tmp_path: Path, answer: Answer, minutes: int
) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        phone = Phone()
        worker = Worker(desk.guard, desk.agent, notifier=phone)
        waits = [(await at(desk, name))[1][0] for name in ("t1", "t2", "t3")]
        told_at = {}
        for minute in range(40):
            if minute == 16:
                await desk.guard.cancel("t1")
            if minute == 20:
                await desk.approve(waits[1], answer)
            await worker.run_once()
            told_at |= {request: minute for request in phone.told if request not in told_at}
            desk.bank.clock.advance(60)
        assert told_at == dict(zip(waits, (0, 15, minutes), strict=True))
        assert len(phone.told) == len(waits)


async def test_what_is_refused_for_load_stays_refused_however_it_is_pressed(tmp_path: Path) -> None:
    policy = FULL["of the group"].replace("capacity: 2", "capacity: 1")
    async with at_desk(tmp_path, calls(WIRE, OTHER, THIRD), policy=policy) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        for snapshot in [found async for found in desk.agent.aget_state_history(desk.config)]:
            await desk.agent.ainvoke(None, snapshot.config, context=CONTEXT)
        assert desk.server.sent == []
        await desk.approve(request, approver=RAJ)
        assert len(desk.server.sent) == 1
        assert await desk.reasons() == ["permitted", "queue_full", "queue_full"]


async def test_what_the_model_is_told_reveals_no_rule(tmp_path: Path) -> None:
    policy = FULL["of the group"].replace("capacity: 2", "capacity: 1")
    async with at_desk(tmp_path, calls(WIRE, OTHER, WIRE), policy=policy) as desk:
        told = "".join((await desk.ask()).values())
        for word in ("finance", "ana@", "raj@", "capacity", "teller", "wire-approval"):
            assert word not in told
