"""Time travel, new input and the order of the log (FACTS G1, G5; DESIGN I5, 8b)."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents.audit import verify
from guarded_agents.transport import SessionTransport, ToolReply
from tests.support.bank import CONTEXT, Bank, answers, asked, calls, model, thread, waiting

TOPUP = ("topup", {"account": "B", "amount_cents": 5}, "topup")
WIRE = ("wire", {"account": "ACME", "amount_cents": 900}, "wire")


@asynccontextmanager
async def started(bank: Bank, *script: Any) -> AsyncIterator[tuple[Any, Any]]:
    async with bank.connected() as transport, bank.open(transport=transport) as guard:
        yield guard, guard.agent(model(*script), checkpointer=InMemorySaver())


def entries(guard: Any) -> list[tuple[str, dict[str, Any]]]:
    rows = list(guard.store.audit_rows())
    assert verify(rows).verified
    return [(entry["kind"], entry["fields"]) for entry in (orjson.loads(stored) for _, stored, _ in rows)]


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("call", [TOPUP, WIRE], ids=["unattended", "approved"])
async def test_a_second_turn_runs_the_same_call_again_and_a_replay_of_either_runs_neither(
    bank: Bank, call: Any
) -> None:
    async with started(bank, calls(call)) as (guard, agent):
        for text in ("please", "please"):  # the same words, and a new wish
            await agent.ainvoke(asked(text), thread(), context=CONTEXT)
            for request in waiting(await agent.aget_state(thread())):
                await guard.resume(agent, bank.signed(guard, request))
        assert len(bank.effects()) == 2
        history = [snapshot async for snapshot in agent.aget_state_history(thread())]
        firsts = [snapshot for snapshot in history if snapshot.metadata["source"] == "input"]
        models = [snapshot for snapshot in history if snapshot.next == ("model",)]
        assert (len(firsts), len(models)) == (2, 4)
        for snapshot in (*firsts, *models):
            await agent.ainvoke(None, snapshot.config, context=CONTEXT)
            assert len(bank.effects()) == 2


@pytest.mark.requirement("I4")
async def test_new_input_on_a_waiting_thread_keeps_what_its_finished_siblings_were_told(bank: Bank) -> None:
    async with started(bank, calls(WIRE, TOPUP, ("balance", {"account": "A"}, "balance"))) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        signed = bank.signed(guard, request)
        result = await agent.ainvoke(asked("something else"), thread(), context=CONTEXT)
        kinds = [message.type for message in result["messages"]]
        assert kinds[:6] == ["human", "ai", "tool", "tool", "tool", "human"]
        told = answers(result["messages"][:5])
        assert told["topup"] == "topped up B"  # so that the model need not repeat it
        assert "withdrawn" in told["wire"]
        with pytest.raises(Exception, match="approval"):
            await guard.vote(signed)
        assert [tool for tool, _, _ in bank.effects()] == ["topup", "topup"]  # the second is the new turn's own


@pytest.mark.requirement("I5")
async def test_decision_and_intent_stand_in_the_log_before_the_outcome(bank: Bank) -> None:
    async with started(bank, calls(TOPUP, WIRE)) as (guard, agent):
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        [request] = waiting(await agent.aget_state(thread()))
        await guard.resume(agent, bank.signed(guard, request))
        log = entries(guard)
        for tool, expected in {
            "bank/topup": ["decision", "intent", "outcome"],
            "bank/wire": ["approval", "decision", "intent", "outcome"],
        }.items():
            assert [kind for kind, fields in log if fields.get("tool") == tool] == expected
        [vote] = [at for at, (kind, _) in enumerate(log) if kind == "vote"]
        [intent] = [at for at, (kind, fields) in enumerate(log) if kind == "intent" and fields["tool"] == "bank/wire"]
        assert vote < intent


class Witness(SessionTransport):
    """A transport that looks into the store's file, as somebody else would, when a call is about to be sent."""

    def __init__(self, sessions: Mapping[str, Any], bank: Bank) -> None:
        super().__init__(sessions)
        self.bank = bank
        self.seen: list[tuple[list[str], list[str]]] = []

    async def call(self, *args: Any, **kwargs: Any) -> ToolReply:
        connection = sqlite3.connect(self.bank.folder / "guard.db")
        claims = [status for (status,) in connection.execute("SELECT status FROM claims")]
        bodies = connection.execute("SELECT body FROM audit ORDER BY sequence").fetchall()
        connection.close()
        self.seen.append((claims, [orjson.loads(body)["kind"] for (body,) in bodies]))
        return await super().call(*args, **kwargs)


@pytest.mark.requirement("I5")
async def test_claim_decision_and_intent_are_committed_when_the_call_is_sent(bank: Bank) -> None:
    async with bank.connected() as connected:
        witness = Witness(connected._sessions, bank)
        async with bank.open(transport=witness) as guard:
            agent = guard.agent(model(calls(TOPUP)), checkpointer=InMemorySaver())
            await agent.ainvoke(asked(), thread(), context=CONTEXT)
    assert witness.seen == [(["sending"], ["log_opened", "policy_loaded", "decision", "intent"])]


@pytest.mark.requirement("I4")
async def test_a_replay_of_new_input_tells_of_the_turn_before_what_it_told_then(bank: Bank) -> None:
    async with started(bank, calls(WIRE, TOPUP)) as (_, agent):
        told = []
        for text in ("one", "two", "three"):  # the model repeats its call ids, as some providers do
            result = await agent.ainvoke(asked(text), thread(), context=CONTEXT)
            told.append([str(message.content) for message in result["messages"] if message.type == "tool"])
        history = [snapshot async for snapshot in agent.aget_state_history(thread())]
        inputs = [snapshot for snapshot in history if snapshot.metadata["source"] == "input"]
        for number, snapshot in enumerate(reversed(inputs)):
            result = await agent.ainvoke(None, snapshot.config, context=CONTEXT)
            again = [str(message.content) for message in result["messages"] if message.type == "tool"]
            assert len(told[number]) >= 2 * number  # no call of an earlier turn is left without an answer
            assert again[: 2 * number] == told[number][: 2 * number]
            assert len(bank.effects()) == 3
