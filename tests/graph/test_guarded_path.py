"""One call's way, from the model to a real server's database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import Answer, GuardContext, Principal
from guarded_agents.audit import verify
from tests.support.bank import CONTEXT, Bank, answers, asked, calls, model, thread, waiting


@asynccontextmanager
async def started(bank: Bank, *script: Any, **changes: Any) -> AsyncIterator[tuple[Any, Any]]:
    async with bank.connected() as transport, bank.open(transport=transport, **changes) as guard:
        yield guard, guard.agent(model(*script), checkpointer=InMemorySaver())


WIRE = ("wire", {"account": "ACME", "amount_cents": 900})


@pytest.mark.requirement("I1")
async def test_a_permitted_read_runs_and_a_denied_call_does_not(bank: Bank) -> None:
    async with started(bank, calls(("balance", {"account": "A"}), ("drop_table", {"account": "A"}))) as (guard, agent):
        result = await agent.ainvoke(asked(), thread(), context=CONTEXT)
        told = answers(result["messages"])
        assert told["call-0"] == "account A holds 1,000.00"
        assert "not carried out" in told["call-1"]
        assert bank.effects() == []
        assert verify(guard.store.audit_rows()).verified


@pytest.mark.requirement("I4")
async def test_an_approved_call_runs_once_and_the_thread_goes_on(bank: Bank) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        assert bank.effects() == []
        await guard.resume(agent, bank.signed(guard, request))
        state = await agent.aget_state(thread())
        assert state.next == ()
        assert state.values["messages"][-1].content == "done"
        assert bank.effects() == [("wire", "ACME", 900)]


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(
    ("answer", "more", "told"),
    [
        (Answer.REJECT, {"text": "wrong account"}, "wrong account"),
        (Answer.RESPOND, {"text": "ask for the invoice first"}, "ask for the invoice first"),
    ],
)
async def test_an_answer_that_does_not_approve_reaches_the_model_and_nothing_runs(
    bank: Bank, answer: Answer, more: dict[str, str], told: str
) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        await guard.resume(agent, bank.signed(guard, request, answer, **more))
        state = await agent.aget_state(thread())
        assert told in answers(state.values["messages"])["call-0"]
        assert state.next == ()
        assert bank.effects() == []


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("text", [None, "", " \n"], ids=["none", "empty", "blank"])
async def test_a_rejection_without_a_reason_tells_the_model_that_it_was_rejected(bank: Bank, text: str | None) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        await guard.resume(agent, bank.signed(guard, request, Answer.REJECT, text=text))
        state = await agent.aget_state(thread())
        assert answers(state.values["messages"])["call-0"] == (
            "This call was not carried out. An approver rejected it; tell the user, and do not propose it again."
        )
        assert bank.effects() == []


@pytest.mark.requirement("I8")
async def test_an_edited_call_is_another_request_that_the_editor_cannot_approve(bank: Bank) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        edit = {"account": "ACME", "amount_cents": 800}
        edited = await guard.resume(agent, bank.signed(guard, request, Answer.EDIT, arguments=edit))
        assert bank.effects() == []
        await guard.resume(agent, bank.signed(guard, edited.request.id, approver="raj@example.com"))
        state = await agent.aget_state(thread())
        assert bank.effects() == [("wire", "ACME", 800)]
        assert "An approver changed the arguments" in answers(state.values["messages"])["call-0"]


@pytest.mark.requirement("I4")
async def test_siblings_of_a_waiting_call_run_once_and_the_model_is_called_after_all(bank: Bank) -> None:
    script = calls(WIRE, ("topup", {"account": "B", "amount_cents": 5}), ("wire", {"account": "C", "amount_cents": 7}))
    async with started(bank, script) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        first, second = waiting(await agent.aget_state(thread()))
        assert bank.effects() == [("topup", "B", 5)]
        await guard.resume(agent, bank.signed(guard, first))
        assert len(bank.effects()) == 2
        await guard.resume(agent, bank.signed(guard, second))
        state = await agent.aget_state(thread())
        assert state.next == ()
        assert len(bank.effects()) == 3
        assert [m.type for m in state.values["messages"]] == ["human", "ai", "tool", "tool", "tool", "ai"]


@pytest.mark.requirement("G5")
async def test_new_input_withdraws_what_waits_and_answers_it_before_the_new_message(bank: Bank) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        result = await agent.ainvoke(asked("never mind"), thread(), context=CONTEXT)
        kinds = [message.type for message in result["messages"]]
        assert kinds[:4] == ["human", "ai", "tool", "human"]
        assert "withdrawn" in result["messages"][2].content
        assert guard.store.request(request).status == "withdrawn"
        assert bank.effects() == []


@pytest.mark.requirement("I6")
async def test_without_a_context_every_call_is_denied(bank: Bank) -> None:
    async with started(bank, calls(("balance", {"account": "A"}), WIRE)) as (_, agent):
        result = await agent.ainvoke(asked(), thread())
        assert all("not carried out" in text for text in answers(result["messages"]).values())


@pytest.mark.requirement("I6")
async def test_without_a_thread_id_effects_are_denied_and_reads_run(bank: Bank) -> None:
    async with bank.connected() as transport, bank.open(transport=transport) as guard:
        agent = guard.agent(model(calls(("balance", {"account": "A"}), ("topup", {"account": "A", "amount_cents": 1}))))
        result = await agent.ainvoke(asked(), context=CONTEXT)
        told = answers(result["messages"])
        assert "holds" in told["call-0"]
        assert "thread id" in told["call-1"]
        assert bank.effects() == []


@pytest.mark.requirement("I6", "G8")
@pytest.mark.parametrize("durability", ["async", "exit"])
async def test_effects_are_denied_unless_steps_are_saved_synchronously(bank: Bank, durability: str) -> None:
    async with started(bank, calls(("topup", {"account": "A", "amount_cents": 1}))) as (_, agent):
        result = await agent.ainvoke(asked(), thread(), context=CONTEXT, durability=durability)
        assert "durability" in answers(result["messages"])["call-0"]
        assert bank.effects() == []


@pytest.mark.requirement("policy:limits")
async def test_a_limit_counts_admitted_calls_of_the_thread(bank: Bank) -> None:
    script = [calls(("topup", {"account": "A", "amount_cents": n})) for n in (1, 2, 3, 4)]
    async with started(bank, *script) as (_, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        assert [amount for _, _, amount in bank.effects()] == [1, 2, 3]


@pytest.mark.requirement("I4")
async def test_an_error_of_an_effect_is_in_doubt_because_it_proves_nothing(bank: Bank) -> None:
    async with started(bank, calls(("refuse", {"account": "A"}))) as (guard, agent):
        result = await agent.ainvoke(asked(), thread(), context=CONTEXT)
        assert "not known whether" in answers(result["messages"])["call-0"]
        assert bank.effects() == [("refuse", "A", 0)]
        assert [claim.status for claim in guard.doubts] == ["in_doubt"]


@pytest.mark.requirement("I2", "B12")
async def test_an_approval_that_comes_too_late_does_not_count(bank: Bank) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        signed = bank.signed(guard, request)
        bank.clock.advance(5 * 3600)
        await guard.wake(agent, "t1")
        state = await agent.aget_state(thread())
        assert "Nobody approved it in time" in answers(state.values["messages"])["call-0"]
        with pytest.raises(Exception, match="approval"):
            await guard.resume(agent, signed)
        assert bank.effects() == []


@pytest.mark.requirement("G10", "B8")
def test_a_synchronous_application_gets_the_same_guard(bank: Bank) -> None:
    with bank.open() as guard:
        agent = guard.agent(model(calls(("balance", {"account": "A"}), WIRE)), checkpointer=InMemorySaver())
        agent.invoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(agent.get_state(thread()))
        guard.resume_sync(agent, bank.signed(guard, request))
        assert bank.effects() == [("wire", "ACME", 900)]
        assert agent.get_state(thread()).next == ()


@pytest.mark.requirement("G10")
async def test_a_synchronous_call_on_the_guards_own_loop_is_refused_before_anything_ran(bank: Bank) -> None:
    async with started(bank, calls(WIRE)) as (_, agent):
        with pytest.raises(Exception, match="synchronous call"):
            agent.invoke(asked(), thread(), context=CONTEXT)


@pytest.mark.requirement("I3")
async def test_two_principals_on_one_thread_are_told_apart(bank: Bank) -> None:
    async with started(bank, calls(WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        nobody = GuardContext(principal=Principal(id="nobody"))
        result = await agent.ainvoke(asked("again"), thread(), context=nobody)
        assert "not carried out" in result["messages"][-2].content
        assert guard.store.request(request).status == "withdrawn"
        assert bank.effects() == []
