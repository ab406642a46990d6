"""What a long run and a wide turn cost: no more state, and no more work for each, than a short or narrow one."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.bank import CONTEXT, Bank, asked, calls, model, thread, waiting

GUARD_KEYS = ("guard_audit", "guard_calls", "guard_requester", "guard_trust")
WIDE = 100


async def governance(bank: Bank, agent: Any, name: str, entries: int) -> dict[str, Any]:
    """Return the governance state of a thread after *entries* inputs."""
    for number in range(entries):
        await agent.ainvoke(asked(f"{number:02}"), thread(name), context=CONTEXT)
    values = (await agent.aget_state(thread(name))).values
    return {key: values[key] for key in GUARD_KEYS}


def shape(state: dict[str, Any]) -> int:
    """Return the size of *state* with the audit log's size, the one number that may grow, as one digit."""
    return len(orjson.dumps(state | {"guard_audit": state["guard_audit"] | {"size": 0}}))


def turns(number: int) -> list[AIMessage]:
    return [calls(("balance", {"account": f"A{turn:03}"}), ("drop_table", {"account": "A"})) for turn in range(number)]


@pytest.mark.requirement("I11")
async def test_governance_state_after_50_inputs_is_as_large_as_after_five(bank: Bank) -> None:
    async with bank.connected() as transport, bank.open(transport=transport) as guard:
        agent = guard.agent(model(*turns(1)), checkpointer=InMemorySaver())
        short, long = await governance(bank, agent, "a", 5), await governance(bank, agent, "b", 50)
        assert shape(short) == shape(long)
        assert len(short["guard_calls"]["calls"]) == len(long["guard_calls"]["calls"]) == 2


@pytest.mark.requirement("I11")
async def test_governance_state_after_200_turns_of_one_input_is_as_large_as_after_five(bank: Bank) -> None:
    async with bank.connected() as transport, bank.open(transport=transport) as guard:
        states = []
        for name, number in (("a", 5), ("b", 200)):
            agent = guard.agent(model(*turns(number)), checkpointer=InMemorySaver())
            config = thread(name) | {"recursion_limit": 1_000}
            await agent.ainvoke(asked(), config, context=CONTEXT)
            states.append((await agent.aget_state(config)).values)
        short, long = [{key: values[key] for key in GUARD_KEYS} for values in states]
        assert long["guard_calls"]["turn"] == 200
        long["guard_calls"]["turn"] = short["guard_calls"]["turn"]
        assert shape(short) == shape(long)
        assert len(states[1]["messages"]) == 2 + 200 * 3  # the conversation is all that grows


def counted(target: Any, counts: Counter[str], *names: str) -> None:
    """Count the calls of methods of *target*."""
    for name in names:
        original: Callable[..., Any] = getattr(target, name)

        def count(*args: Any, _name: str = name, _original: Callable[..., Any] = original, **kwargs: Any) -> Any:
            counts[_name] += 1
            return _original(*args, **kwargs)

        setattr(target, name, count)


@pytest.mark.requirement("I11")
async def test_a_wake_looks_at_each_of_100_waiting_calls_a_few_times_and_calls_no_model(bank: Bank) -> None:
    counts: Counter[str] = Counter()
    wide = calls(*[("wire", {"account": f"A{number}", "amount_cents": 1 + number}) for number in range(WIDE)])

    def last(_: Any) -> AIMessage:
        counts["model"] += 1
        return AIMessage("done")

    with (bank.folder / "policy.yaml").open("a") as policy:
        policy.write(f"queue: {{per_principal: {WIDE}}}\n")
    async with bank.connected() as transport, bank.open(transport=transport) as guard:
        agent = guard.agent(model(wide).model_copy(update={"script": (wide, last)}), checkpointer=InMemorySaver())
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
        requests = waiting(await agent.aget_state(thread()))
        assert len(set(requests)) == WIDE
        signed = [bank.signed(guard, request) for request in requests]
        counted(guard.store, counts, "thread", "proposal", "request", "request_of", "hold", "vote", "admit", "settle")
        await guard.resume(agent, signed[0])
        first, sent = Counter(counts), len(bank.effects())
        assert sent == 1
        assert (first["hold"], first["admit"], first["settle"], first["model"]) == (0, 1, 1, 0)
        assert max(first["thread"], first["proposal"], first["request"], first["request_of"]) <= 3 * WIDE
        for vote in signed[1:]:
            await guard.vote(vote)
        await guard.wake(agent, "t1")  # one wake for all of them
        assert (counts["admit"], counts["settle"], counts["model"]) == (WIDE, WIDE, 1)
        assert max(counts["thread"], counts["proposal"], counts["request"], counts["request_of"]) <= 10 * WIDE
        state = await agent.aget_state(thread())
        assert (state.next, waiting(state)) == ((), [])
        assert sorted(amount for _, _, amount in bank.effects()) == list(range(1, WIDE + 1))
