"""State holds no growing history of governance (DESIGN I11)."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.support.bank import CONTEXT, POLICY, asked
from tests.support.ledger import at_desk

TURNS = 60
UNLIMITED = POLICY.replace(", limits: {per_thread: 3}", "").replace(
    "forge: {scope: bank:read, effect: read, result: {integrity: untrusted",
    "forge: {scope: bank:read, effect: read, result: {integrity: trusted",
)


def topup(messages: Any) -> AIMessage:
    turn = sum(message.type == "ai" for message in messages)
    name, more = ("topup", {"amount_cents": 100 + turn % 100}) if turn % 2 else ("forge", {})
    return AIMessage("", tool_calls=[{"name": name, "args": {"account": "A", **more}, "id": f"call-{turn:03}"}])


def size_of_guard(values: Any) -> int:
    """Return the bytes of the ``guard_*`` keys as JSON, the audit head's running number aside."""
    guard = {key: value for key, value in values.items() if key.startswith("guard_")}
    guard["guard_audit"] = {**guard["guard_audit"], "size": 0}
    return len(orjson.dumps(guard))


@pytest.mark.requirement("I11")
async def test_what_the_state_holds_of_the_guard_does_not_grow_with_the_turns(tmp_path: Path) -> None:
    async with at_desk(tmp_path, *[topup] * TURNS, policy=UNLIMITED) as desk:
        sizes = []
        async for values in desk.agent.astream(
            asked(), {**desk.config, "recursion_limit": 1_000}, context=CONTEXT, stream_mode="values"
        ):
            if values.get("guard_calls"):
                sizes.append(size_of_guard(values))
                assert len(values["guard_calls"]["calls"]) == 1
        assert len(desk.server.sent) == TURNS
        assert max(sizes[-20:]) <= max(sizes[:20]) + 8


@pytest.mark.requirement("I11")
async def test_what_a_turn_adds_to_the_checkpoints_does_not_grow_with_the_turns(tmp_path: Path) -> None:
    async with at_desk(tmp_path, *[topup] * TURNS, policy=UNLIMITED) as desk:
        written: list[int] = []
        saver = desk.agent.checkpointer
        put, put_writes = saver.aput, saver.aput_writes

        async def aput(config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
            kept = {name: checkpoint["channel_values"].get(name) for name in versions}
            written.append(len(saver.serde.dumps_typed((checkpoint["channel_versions"], kept))[1]))
            return await put(config, checkpoint, metadata, versions)

        async def aput_writes(config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            written[-1] += sum(len(saver.serde.dumps_typed(value)[1]) for _, value in writes)
            await put_writes(config, writes, task_id, task_path)

        saver.aput, saver.aput_writes = aput, aput_writes
        await desk.ask(interrupt_before=[])
        early, late = sum(written[10:30]), sum(written[-20:])
        assert len(written) > 2 * TURNS
        assert late <= 1.3 * early


@pytest.mark.requirement("I11")
async def test_the_guard_remembers_a_bounded_number_of_planned_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guarded_agents.nodes import _plan

    monkeypatch.setattr(_plan, "_REMEMBERED", 3)
    async with at_desk(tmp_path) as desk:
        parts, kept = desk.guard._parts, []
        for number in range(6):  # turns that were recorded and, their process being elsewhere, never routed here
            config: Any = {"configurable": {"thread_id": f"t{number}"}}
            human = HumanMessage("please", id="m1")
            await parts.screen_input({"messages": [human]}, config, CONTEXT)
            await parts.plans.record([human], {"messages": [topup([])]}, config, CONTEXT)
            kept.append(len(parts.plans._remembered))
        assert kept == [1, 2, 3, 3, 3, 3]
